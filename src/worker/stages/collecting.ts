import {
  uploadArtifactsAfterFailure,
  uploadOutputs,
  type UploadOutputsOptions,
} from '../../girder/transfer/upload-outputs.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { failureReason } from '../reporting/failure-reason.js';
import { girderKey, withKeyedSlot, type Outside } from './limit-concurrency.js';
import type { Outcome, Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/** How a run came out, and why if not well. */
export interface RunResult {
  outcome: Outcome;
  reason: string | null;
}

/**
 * Judges the end of the job and uploads the outputs of a good one, each exactly once however often this is resumed.
 * @throws DsaSlurmError if an output is missing or cannot be uploaded; an abort error if `signal` aborts.
 */
export async function collect(
  context: StageContext,
  analysis: Analysis,
  run: Run,
  services: WorkerServices,
): Promise<RunResult> {
  const { end, staged } = run;
  if (end === null || staged === null) throw new Error('outputs are collected only once the job has ended');
  // asked to be canceled and ended, in whichever order: nothing of it is wanted any more
  if (run.cancel !== null) return { outcome: 'canceled', reason: null };
  // its job was canceled by us: what Slurm says of it is not the reason
  if (run.brokenStream !== null) return { outcome: 'failed', reason: run.brokenStream };
  if (end.outcome !== 'succeeded')
    return { outcome: end.outcome, reason: await failureReason(run, end, services.executor) };
  await inUploadPlace(analysis, context, run, services, async (options) =>
    uploadOutputs(analysis.hooks, staged, options),
  );
  return { outcome: 'succeeded', reason: null };
}

/**
 * Keeps what a run that failed was to leave behind, wherever it failed after its inputs were staged; what it has uploaded
 * already is not uploaded again.
 * @throws only if the worker stops or the run is canceled meanwhile
 */
export async function keepArtifacts(
  context: StageContext,
  analysis: Analysis,
  run: Run,
  services: WorkerServices,
): Promise<void> {
  const { staged } = run;
  if (staged === null || run.cancel !== null) return;
  if (!analysis.hooks.some((hook) => hook.kind === 'jobArtifact' && hook.uploadOnException)) return;
  await inUploadPlace(analysis, context, run, services, async (options) =>
    uploadArtifactsAfterFailure(analysis.hooks, staged, options),
  );
}

async function inUploadPlace(
  { hooks }: Analysis,
  context: StageContext,
  run: Run,
  services: WorkerServices,
  work: (options: UploadOutputsOptions) => Promise<void>,
): Promise<void> {
  const key = girderKey(hooks, services.girderSetup(run).apiUrlMap);
  await withKeyedSlot(services.lanes.collecting, key, context.signal, async (outside) =>
    work(collectOptions(context, run, services, outside)),
  );
}

function collectOptions(
  { signal, girderJob }: StageContext,
  run: Run,
  services: WorkerServices,
  outside: Outside,
): UploadOutputsOptions {
  return {
    ...services.girderSetup(run),
    patience: { ...services.transferPatience(run), runWait: outside },
    signal,
    done: new Set(run.outputsDone),
    begun: run.outputsBegun,
    onBegin: async (key, upload) => {
      await services.runStore.record(run.id, { type: 'output-begun', key, upload });
    },
    onDone: async (key) => {
      await services.runStore.record(run.id, { type: 'output-done', key });
    },
    onProgress: (text) => girderJob.log(`${text}\n`),
  };
}
