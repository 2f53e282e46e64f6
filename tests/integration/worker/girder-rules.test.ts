import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import type { RunView } from '../../../src/worker/views/handle.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';

const queued = 1;
let lab: Lab;
const fillers: string[] = [];

beforeAll(async () => {
  lab = await openLab({ 'girder.runningMeans': 'started' });
});

afterEach(emptyCluster);

afterAll(async () => {
  await lab.close();
});

async function slurm(file: string, args: readonly string[]): Promise<string> {
  const answer = await lab.command(file, [...args]);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
  return answer.stdout.trim();
}

/** Occupies all nodes, for half an hour according to its time limit. */
async function fillCluster(): Promise<void> {
  const wanted = ['--parsable', '--nodes=4', '--exclusive', '--time=30', '--output=/dev/null'];
  const id = await slurm('sbatch', [...wanted, '--wrap=sleep 600']);
  fillers.push(id);
  await lab.until(
    async () => (await slurm('squeue', ['--noheader', `--jobs=${id}`, '--format=%T'])) === 'RUNNING',
  );
}

async function emptyCluster(): Promise<void> {
  if (fillers.length > 0) await slurm('scancel', fillers.splice(0));
}

const runOf = ({ id }: GirderJob): RunView | undefined =>
  lab.worker.handle.snapshot().runs.find((run) => run.girderJobId === id);
const messageOf = ({ id }: GirderJob): string => lab.girder.job(id)?.progress?.message ?? '';
const busy = /is waiting in the cluster queue: the computers that it needs are busy\./;

test('a pending job is QUEUED in Girder, with reason and expected start; it is RUNNING once it runs', async () => {
  await fillCluster();
  const published = await lab.publish({ args: ['Wait', '/never'] });
  await lab.until(() => busy.test(messageOf(published)));
  expect(statuses(lab.girder.job(published.id) ?? published)).toEqual([queued]);
  await lab.until(() =>
    /busy\. Expected to start at \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/.test(messageOf(published)),
  );
  const { jobId } = runOf(published) ?? {};
  await emptyCluster();
  await lab.until(() => lab.girder.job(published.id)?.status === status.running);
  await lab.until(() => messageOf(published) === 'The analysis runs on the cluster.');

  // requeued: Girder allows no change from RUNNING to QUEUED, so none is attempted
  await slurm('scontrol', ['requeue', jobId ?? '']);
  await lab.until(() => runOf(published)?.stage === 'queued');
  await lab.until(() => /waiting in the cluster queue|was requeued/.test(messageOf(published)));
  await lab.girder.cancel(published.id);
  const job = await lab.ended(published);
  expect(statuses(job)).toEqual([queued, status.running, status.canceling, status.canceled]);
  expect(messageOf(job)).toBe('');
  const refused = lab.girder
    .requests()
    .filter((request) => request.path === `job/${job.id}` && request.status >= 400);
  expect(refused).toEqual([]);
});

test('a job that is canceled while it is QUEUED never runs, and its progress no longer shows it as waiting', async () => {
  await fillCluster();
  const published = await lab.publish({ args: ['Talk', '3'] });
  await lab.until(() => busy.test(messageOf(published)));
  await lab.girder.cancel(published.id);
  const job = await lab.ended(published);
  expectStatus(job, status.canceled);
  expect(statuses(job)).toEqual([queued, status.canceling, status.canceled]);
  expect(messageOf(job)).toBe('');
  expect(job.log.join('')).not.toContain('line 000001');
});

test('a worker that restarts while the job is pending resumes the run', async () => {
  await fillCluster();
  const published = await lab.publish({ args: ['Talk', '3'] });
  await lab.until(() => busy.test(messageOf(published)));
  await lab.worker.stop();
  await lab.startWorker();
  await emptyCluster();
  const job = await lab.ended(published);
  expectStatus(job, status.success);
  expect(statuses(job)).toEqual([queued, status.running, status.success]);
  expect(messageOf(job)).not.toMatch(/waits/);
});

test('a task whose token has expired fails with that reason, before anything is computed', async () => {
  const { id } = lab.girder.addFolder(lab.girder.rootFolderId, 'out');
  lab.girder.expireToken(lab.girder.userToken);
  const published = await lab.publish({
    args: ['Show', { output: 'shown.txt', toFolder: id }],
  });
  const job = await lab.ended(published);
  expectStatus(job, status.error);
  expect(job.log.join('')).toMatch(
    /has expired or was revoked\. The analysis was not started\..*start it again/,
  );
  expect(runOf(published)).toMatchObject({ outcome: 'failed', jobId: null });
});
