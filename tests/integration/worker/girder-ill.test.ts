import { afterAll, beforeAll, expect, test } from 'vitest';

import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { openCancelBench, type CancelBench } from '../../support/cancel-bench.js';
import type { Fault } from '../../../src/sandbox/fake-girder/index.js';

let lab: Lab;
let bench: CancelBench;

beforeAll(async () => {
  lab = await openLab({ 'worker.inFlight': 2, 'slurm.userOptions': ['begin'] });
  bench = await openCancelBench(lab);
});

afterAll(async () => {
  lab.girder.fail();
  await bench.close();
  await lab.close();
});

const page = (statusCode: number, body = '<html>maintenance</html>', headers = {}): Fault => ({
  kind: 'answer',
  status: statusCode,
  contentType: 'text/html',
  body,
  headers,
});
const faults: [string, Fault][] = [
  ['a page', page(200)],
  ['404 of a proxy', page(404)],
  ['401 of a proxy', page(401)],
  ['nothing', page(200, '')],
  ['its own 500', page(500, '{"type":"internal","message":"An unexpected error occurred."}')],
  ['a redirect to a login page', page(302, '', { location: '/login' })],
];

test.each(faults)(
  'an output waits while Girder answers with %s, and is uploaded once',
  async (_what, fault) => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('content'));
    let isIll = false;
    let asked = 0;
    lab.girder.fail((method, path) => {
      isIll ||= method === 'POST' && path.startsWith('file');
      if (!isIll || asked > 3) return undefined;
      if (path.startsWith('file')) asked += 1;
      return fault;
    });
    const published = await bench.publish(['Copy', { file: input.id, name: 'x' }]);
    const waiting = await bench.runOf(
      published,
      ({ stage, reason }) => stage === 'collecting' && reason !== null,
    );
    expect(waiting.reason).toMatch(/^(http:|Girder)/);
    const job = await lab.ended(published.girderJob);
    expectStatus(job, status.success);
    expect(await lab.text(published.folder.id, 'o')).toBe('content');
    await bench.runOf(published, ({ stage, reason }) => stage === 'finished' && reason === null);
    lab.girder.fail();
  },
);

test('runs that wait for an unreachable Girder do not block tasks of another Girder', async () => {
  const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('content'));
  const sick = new Set<string>();
  lab.girder.fail((_method, path) => ([...sick].some((id) => path.includes(id)) ? page(200) : undefined));
  const waiting = [];
  for (let n = 0; n < 2; n += 1) {
    const published = await bench.publish(['Copy', { file: input.id, name: 'x' }]);
    await bench.runOf(published, ({ stage }) => stage !== 'accepted');
    sick.add(published.girderJob.id);
    sick.add(published.folder.id);
    waiting.push(published);
  }
  for (const each of waiting)
    await bench.runOf(each, ({ stage, reason }) => stage === 'collecting' && reason !== null);
  const healthy = await bench.publish(['Copy', { file: input.id, name: 'x' }]);
  expectStatus(await lab.ended(healthy.girderJob), status.success);
  lab.girder.fail();
  for (const each of waiting) expectStatus(await lab.ended(each.girderJob), status.success);
});

const isReportOf =
  (id: string) =>
  ({ method, path }: { method: string; path: string }): boolean =>
    method === 'PUT' && path === `job/${id}`;

test('RUNNING that slicer_cli_web has overwritten is reported again while the job waits in Slurm; the run succeeds', async () => {
  lab.girder.saveLate(() => 150);
  const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('content'));
  const published = await bench.publish(['Copy', { file: input.id, name: 'x' }, '--slurm_begin', 'now+6']);
  const { id } = published.girderJob;
  // Girder has lost the job's first updates: the log is empty, the status INACTIVE
  await lab.until(() => lab.girder.job(id)?.status === 0 && lab.girder.requests().some(isReportOf(id)));
  await lab.until(() => lab.girder.job(id)?.status === status.running);
  await lab.until(() => lab.girder.job(id)?.log.join('').startsWith('Fetching “x”'));
  const { stage } = await bench.runOf(published, () => true);
  expect(stage).toBe('queued');
  const job = await lab.ended(published.girderJob);
  expect(statuses(job)).toEqual([2, 3]);
  expect(job.log.join('').match(/Fetching “x”/g)).toHaveLength(1);
  lab.girder.saveLate(() => null);
});

test('a task that fails before slicer_cli_web has saved its job still ends in ERROR, with its reason', async () => {
  lab.girder.saveLate(() => 700);
  const published = await bench.publish(['Copy', { file: 'fafafafafafafafafafafafa', name: 'x' }]);
  const { id } = published.girderJob;
  const run = await bench.runOf(published, ({ stage }) => stage === 'finished');
  expect(run.outcome).toBe('failed');
  await lab.until(() => lab.girder.job(id)?.status === status.error);
  expect(lab.girder.job(id)?.log.join('')).toContain('Invalid file id');
  lab.girder.saveLate(() => null);
});

test('a cancel survives a late save of the job', async () => {
  lab.girder.saveLate(() => 300);
  const published = await bench.publish(['Wait', '/never']);
  const { id } = published.girderJob;
  await lab.until(() => lab.girder.job(id)?.status === status.running);
  await lab.girder.cancel(id);
  await bench.runOf(published, ({ stage }) => stage === 'finished');
  await lab.until(() => lab.girder.job(id)?.status === status.canceled);
  lab.girder.saveLate(() => null);
});

test('a run whose job is deleted in Girder is canceled', async () => {
  const published = await bench.publish(['Wait', '/never']);
  const { id } = published.girderJob;
  await bench.runOf(published, ({ stage }) => stage === 'running');
  lab.girder.deleteJob(id);
  const run = await bench.runOf(published, ({ stage }) => stage === 'finished');
  expect(run).toMatchObject({ outcome: 'canceled', reason: 'Its job was deleted in Girder.' });
  expect(await bench.jobsOf(published)).toEqual([expect.stringMatching(/ CANCELLED$/)]);
});

test('the user who cancels on the cluster is named in the log', async () => {
  const published = await bench.publish(['Wait', '/never']);
  await bench.runOf(published, ({ stage }) => stage === 'running');
  await lab.worker.handle.act({ kind: 'cancel', runs: [published.id], jobs: [] });
  const job = await bench.expectCanceled(published);
  expect(job.log.join('')).toContain('The operator of the worker (dsa-slurm) canceled this analysis.');
});

test('the last log lines of a failed run are not repeated right after them', async () => {
  const published = await bench.publish(['Fail']);
  const job = await lab.ended(published.girderJob);
  expect(job.log.join('').match(/the slide has no tissue/g)).toHaveLength(1);
  expect(job.log.join('')).toMatch(/exit code 3\)\n$/);
  const run = await bench.runOf(published, ({ stage }) => stage === 'finished');
  expect(run.reason).toMatch(/Its last lines were:\n[^]*the slide has no tissue/);
});
