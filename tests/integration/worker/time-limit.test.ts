import { afterAll, beforeAll, expect, test } from 'vitest';

import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';

let lab: Lab;
beforeAll(async () => {
  // jobs get the signal once they have run for six times the grace period
  lab = await openLab({ 'slurm.time': '1', 'slurm.cancelSeconds': 1 });
});
afterAll(async () => lab.close());

const logOf = ({ id }: GirderJob): string => lab.girder.job(id)?.log.join('') ?? '';

function jobIdOf({ id }: GirderJob): string {
  const jobId = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === id)?.jobId;
  if (typeof jobId !== 'string') throw new Error('the run has no job');
  return jobId;
}

test('an analysis gets a signal before its time limit, and is reported as ended by the limit', async () => {
  // all of them exit with 0 on that signal
  const [untilLimit, ended, canceled, canceledInSlurm] = await Promise.all([
    lab.publish({ args: ['Graceful'] }),
    lab.publish({ args: ['Graceful'] }),
    lab.publish({ args: ['Graceful'] }),
    lab.publish({ args: ['Graceful'] }),
  ]);
  const all = [untilLimit, ended, canceled, canceledInSlurm];
  await lab.until(() => all.every((job) => /^ends$/m.test(logOf(job))), 120_000);

  // if the site lets jobs exceed their limits, the batch script exits before Slurm ends the job
  await lab.command('scancel', ['--batch', '--signal=TERM', jobIdOf(ended)]);
  await lab.command('scancel', [jobIdOf(canceledInSlurm)]);
  await lab.girder.cancel(canceled.id);
  expectStatus(await lab.ended(canceled, 60_000), status.canceled);
  expectStatus(await lab.ended(canceledInSlurm, 60_000), status.canceled);

  for (const job of [ended, untilLimit]) {
    expectStatus(await lab.ended(job, 120_000), status.error);
    expect(logOf(job)).toMatch(/reached its time limit and was stopped\. \(Slurm job \d+, state TIMEOUT/);
  }
  const shown = await lab.command('squeue', [
    '--noheader',
    '--states=all',
    '--format=%T',
    `--jobs=${jobIdOf(ended)},${jobIdOf(untilLimit)}`,
  ]);
  expect(shown.kind === 'exited' && shown.stdout.trim().split('\n').toSorted()).toEqual([
    'FAILED',
    'TIMEOUT',
  ]);
}, 300_000);
