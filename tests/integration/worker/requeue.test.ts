import { afterAll, beforeAll, expect, test } from 'vitest';

import type { RunView } from '../../../src/worker/views/handle.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => {
  await lab.close();
});

test('a job that Slurm requeues has not failed: its run waits again', async () => {
  const published = await lab.publish({ args: ['Wait', '/never'] });
  const inStage = async (stage: string): Promise<RunView> =>
    lab.until(() =>
      lab.worker.handle
        .snapshot()
        .runs.find((run) => run.girderJobId === published.id && run.stage === stage),
    );
  const { jobId } = await inStage('running');
  await lab.until(() => lab.girder.job(published.id)?.log.join('').includes('tick 3'));
  const answer = await lab.command('scontrol', ['requeue', jobId ?? '']);
  expect(answer).toMatchObject({ kind: 'exited', exitCode: 0 });
  const waiting = await inStage('queued');
  expect(waiting.jobId).toBe(jobId);
  await lab.girder.cancel(published.id);
  const job = await lab.ended(published);
  expectStatus(job, status.canceled);
  expect(statuses(job)).toEqual([status.running, status.canceling, status.canceled]);
});
