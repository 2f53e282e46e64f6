import { afterAll, beforeAll, expect, test } from 'vitest';

import type { RunView } from '../../../../src/worker/views/handle.js';
import type { LiveViews } from '../../../../src/worker/views/live-views.js';
import type { GirderJob } from '../../../../src/sandbox/fake-girder/index.js';
import { expectStatus, openLab, status, type Lab } from '../../../support/lab.js';
import { testSite } from '../../../support/test-site.js';

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(async () => lab.close());

const never = ['Wait', '/mnt/never'];

async function runOf(job: GirderJob, fits: (run: RunView) => boolean): Promise<RunView> {
  return lab.until(() =>
    lab.worker.handle.snapshot().runs.find((run) => run.girderJobId === job.id && fits(run)),
  );
}

/** Waits for a matching view of data that is only queried while it is watched. */
async function watched<K extends keyof LiveViews>(
  what: K,
  fits: (view: LiveViews[K]) => boolean,
): Promise<LiveViews[K]> {
  let found: LiveViews[K] | null = null;
  const stop = lab.worker.handle.watch(what, (view) => {
    if (fits(view)) found ??= view;
  });
  try {
    return await lab.until(() => found);
  } finally {
    stop();
  }
}

/** Slurm's own record of a job. */
async function fact(jobId: string | null, key: string): Promise<string | undefined> {
  const { facts } = await lab.worker.handle.jobDetail(jobId ?? '');
  return new Map(facts).get(key);
}

test('hold, release, time limit, nice, requeue and a signal reach the job, in the words of Slurm', async () => {
  const { handle } = lab.worker;
  // it requests more than is available, so it waits until it is held
  const published = await lab.publish({
    args: [...never, '--slurm_nodes', '4', '--slurm_cpus_per_task', '8'],
  });
  const { id, jobId } = await runOf(published, ({ jobId }) => jobId !== null);
  const on = { runs: [id], jobs: [] };
  await runOf(published, ({ stage }) => stage === 'running');

  expect(await handle.act({ kind: 'timeLimit', ...on, limit: '00:45:00' })).toMatchObject({ ok: true });
  expect(await fact(jobId, 'TimeLimit')).toBe('00:45:00');

  expect(await handle.act({ kind: 'requeue', ...on })).toMatchObject({ ok: true });
  await lab.until(async () => (await fact(jobId, 'JobState')) === 'PENDING');
  expect(await handle.act({ kind: 'hold', ...on })).toEqual({
    ok: true,
    message: `scontrol hold ${jobId}: done`,
  });
  await lab.until(async () => /JobHeld/.test((await fact(jobId, 'Reason')) ?? ''));
  expect(await handle.act({ kind: 'nice', ...on, nice: 77 })).toMatchObject({ ok: true });
  expect(await fact(jobId, 'Nice')).toBe('77');
  expect(await handle.act({ kind: 'release', ...on })).toMatchObject({ ok: true });
  await lab.until(async () => !/JobHeld/.test((await fact(jobId, 'Reason')) ?? ''));

  const refused = await handle.act({ kind: 'hold', runs: [], jobs: ['4000000'] });
  expect(refused).toMatchObject({ ok: false, message: expect.stringContaining('4000000') });

  const answer = await handle.runDetail(id);
  const detail = answer.ok ? answer.detail : expect.fail(answer.message);
  expect(detail.timeline.map(({ stage }) => stage)).toEqual(
    expect.arrayContaining(['accepted', 'staging', 'submitting', 'queued', 'running']),
  );
  expect(detail.sbatch?.[0]).toBe('sbatch');
  expect(detail.container?.[1]).toBe('exec');
  expect(detail.girderUrl).toContain(`/#job/${published.id}`);

  expect(await handle.act({ kind: 'cancel', ...on })).toMatchObject({ ok: true });
  expectStatus(await lab.ended(published), status.canceled);
});

test('SIGKILL to the processes of the job fails the run; it is not a cancel', async () => {
  const published = await lab.publish({ args: never });
  const { id } = await runOf(published, ({ stage }) => stage === 'running');
  expect(await lab.worker.handle.act({ kind: 'signal', runs: [id], jobs: [], signal: 'KILL' })).toMatchObject(
    { ok: true },
  );
  const job = await lab.ended(published);
  expect([status.error, status.canceled]).toContain(job.status);
});

test('only views that are watched are refreshed, and each has its age', async () => {
  const { nodes, partitions } = await watched('cluster', ({ at }) => at !== null);
  expect(nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3', 'n4']);
  expect(nodes[3]).toMatchObject({ gres: expect.stringContaining('gpu'), cpus: { total: 8 } });
  expect(partitions.find(({ isDefault }) => isDefault)).toMatchObject({
    name: testSite().slurmPartitions[0],
    nodes: 4,
  });

  const images = await watched('images', ({ at }) => at !== null);
  expect(images.rows.map(({ file }) => file)).toEqual(['test_image_v1.sif']);
  expect(await lab.worker.handle.imageDetail('test_image_v1.sif')).toMatchObject({ ok: true });

  const worker = await watched('worker', ({ at, broker }) => at !== null && broker.queues.length > 0);
  expect(worker.broker.queues).toEqual([{ queue: lab.settings.broker.queues[0], ready: 0, consumers: 1 }]);
  expect(worker.broker.address).not.toContain(new URL(lab.settings.broker.url).password);
  expect(worker.journal.bytes).toBeGreaterThan(0);
  expect(worker.journal.synced?.ms).toBeGreaterThanOrEqual(0);
  expect(worker.commands.recent.map(({ file }) => file)).toEqual(
    expect.arrayContaining(['sbatch', 'squeue']),
  );
  expect(worker.commands.lastMinute).toBeGreaterThan(0);

  const history = await watched('history', ({ rows }) => rows.length >= 2);
  expect(history.rows[0]?.totalMs).toBeGreaterThan(0);
  const all = await watched('allJobs', ({ at }) => at !== null);
  expect(all.rows.length).toBeGreaterThan(0);
});

test('a draining worker accepts no tasks and reports when none is in flight', async () => {
  const { handle } = lab.worker;
  const last = await lab.publish({ args: never });
  const { id } = await runOf(last, ({ stage }) => stage === 'running');
  expect(await handle.drain()).toMatchObject({ ok: true, message: expect.stringContaining('1 run') });
  expect(handle.snapshot().health).toMatchObject({ intake: 'draining', drainedAt: null });
  const waiting = await lab.publish({ args: never });
  await handle.act({ kind: 'cancel', runs: [id], jobs: [] });
  await lab.ended(last);
  await lab.until(() => handle.snapshot().health.drainedAt !== null);
  expect(handle.snapshot().runs.some(({ girderJobId }) => girderJobId === waiting.id)).toBe(false);
  await handle.resume();
  const taken = await runOf(waiting, ({ stage }) => stage === 'running');
  expect(handle.snapshot().health).toMatchObject({ intake: 'open', drainedAt: null });
  await handle.act({ kind: 'cancel', runs: [taken.id], jobs: [] });
  await lab.ended(waiting);
});
