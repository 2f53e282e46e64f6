import type { BatchRun } from '../../../../src/worker/batches/batch-run.js';

/** A run that succeeded after a minute; a test sets only the fields that it is about. */
export function someBatchRun(over: Partial<BatchRun> & { id: string }): BatchRun {
  const acceptedAt = over.acceptedAt ?? 0;
  return {
    retryOf: null,
    key: 'ada cells',
    user: 'ada',
    image: 'example/cells:v1',
    cli: 'Cells',
    title: `Cells on ${over.id}.svs`,
    inputs: [`${over.id}.svs`],
    girderJobId: null,
    jobId: '7',
    acceptedAt,
    startedAt: acceptedAt,
    finishedAt: acceptedAt + 60_000,
    stage: 'finished',
    outcome: 'succeeded',
    runMs: 60_000,
    requested: null,
    usage: null,
    cause: null,
    ...over,
  };
}

/** One that still waits or runs. */
export function openBatchRun(over: Partial<BatchRun> & { id: string }): BatchRun {
  return someBatchRun({
    stage: 'queued',
    outcome: null,
    startedAt: null,
    finishedAt: null,
    runMs: null,
    ...over,
  });
}
