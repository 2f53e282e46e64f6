import { expect, test, vi } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import { silentGirderJob } from '../../../src/girder/jobs/job.js';
import type { Journal } from '../../../src/worker/run-state/journal.js';
import { openRunStore } from '../../../src/worker/run-state/run-store.js';
import type { RunEvent } from '../../../src/worker/run-state/run.js';
import { createRunScheduler } from '../../../src/worker/scheduler.js';
import { someTask } from '../../support/tasks.js';

/** A scheduler for one accepted run, which is processed until the test settles it. */
async function setUp({
  append = async () => undefined,
}: { append?: (event: RunEvent) => Promise<void> } = {}) {
  const journal: Journal = {
    append: async (_, event) => append(event),
    appendSoon: () => undefined,
    compact: async () => undefined,
    probe: async () => undefined,
    bytes: () => 0,
    state: () => ({ path: '/journal', bytes: 0, synced: null }),
    close: async () => undefined,
  };
  const log = silentLog();
  const stopping = AbortSignal.abort();
  const runStore = openRunStore(new Map(), journal, { clock: systemClock, log, stopping });
  const { id } = someTask();
  await runStore.accept({ task: someTask(), refusal: null });
  const settle = Promise.withResolvers<undefined>();
  const processRun = vi.fn(async (_: string, signal: AbortSignal) => {
    void signal;
    await settle.promise;
  });
  const onSettled = vi.fn();
  const error = vi.spyOn(log, 'error');
  const stop = new AbortController();
  const scheduler = createRunScheduler({ runStore, processRun, onSettled, stopping: stop.signal, log });
  const isCanceled = (): boolean => processRun.mock.calls[0]?.[1].aborted ?? false;
  return { id, runStore, scheduler, settle, processRun, onSettled, isCanceled, error, stop };
}

test('a run is processed once, however often it is started, until it settles', async () => {
  const { id, scheduler, settle, processRun, onSettled } = await setUp();
  scheduler.start(id);
  scheduler.start(id);
  expect(processRun).toHaveBeenCalledOnce();
  settle.resolve(undefined);
  await scheduler.idle();
  expect(onSettled.mock.calls).toEqual([[id]]);
  scheduler.start(id);
  await scheduler.idle();
  expect(processRun).toHaveBeenCalledTimes(2);
});

test('idle() waits for a run that is started while it waits', async () => {
  const { id, scheduler, settle, onSettled } = await setUp();
  scheduler.start(id);
  onSettled.mockImplementationOnce(() => scheduler.start(id));
  settle.resolve(undefined);
  await scheduler.idle();
  expect(onSettled).toHaveBeenCalledTimes(2);
});

test('a cancel is journaled before the run sees it', async () => {
  let wasCanceledBefore: boolean | null = null;
  const bench = await setUp({
    async append({ type }) {
      if (type === 'cancel-requested') wasCanceledBefore = bench.isCanceled();
    },
  });
  const { id, runStore, scheduler, settle, isCanceled } = bench;
  scheduler.start(id);
  expect(await scheduler.requestCancel(id, 'operator')).toBe(true);
  expect([wasCanceledBefore, isCanceled()]).toEqual([false, true]);
  expect(runStore.get(id)?.cancel).toMatchObject({ by: 'operator' });
  settle.resolve(undefined);
  await scheduler.idle();
});

test('the first cancel decides who canceled the run', async () => {
  const { id, runStore, scheduler } = await setUp();
  await scheduler.requestCancel(id, 'girder');
  expect(await scheduler.requestCancel(id, 'operator')).toBe(true);
  expect(runStore.get(id)?.cancel).toMatchObject({ by: 'girder' });
});

test('a run that was canceled before it starts sees the cancel at once', async () => {
  const { id, scheduler, settle, isCanceled } = await setUp();
  await scheduler.requestCancel(id, 'celery');
  scheduler.start(id);
  expect(isCanceled()).toBe(true);
  settle.resolve(undefined);
  await scheduler.idle();
});

test('unknown and finished runs are not canceled', async () => {
  const { id, runStore, scheduler } = await setUp();
  expect(await scheduler.requestCancel('unknown', 'operator')).toBe(false);
  await runStore.record(id, { type: 'decided', outcome: 'succeeded', reason: null });
  await runStore.record(id, { type: 'finished', told: true });
  expect(await scheduler.requestCancel(id, 'operator')).toBe(false);
  expect(runStore.get(id)?.cancel).toBeNull();
});

test('only runs that are being processed have a Girder job', async () => {
  const { id, scheduler, settle } = await setUp();
  const girderJob = silentGirderJob();
  scheduler.addGirderJob(id, girderJob);
  expect(scheduler.girderJobs()).toEqual([]);
  scheduler.start(id);
  scheduler.addGirderJob(id, girderJob);
  expect(scheduler.girderJobs()).toEqual([girderJob]);
  settle.resolve(undefined);
  await scheduler.idle();
  expect(scheduler.girderJobs()).toEqual([]);
});

test('an internal error of one run is logged and settles it', async () => {
  const { id, scheduler, settle, onSettled, error } = await setUp();
  scheduler.start(id);
  settle.reject(new Error('a bug'));
  await scheduler.idle();
  expect(onSettled.mock.calls).toEqual([[id]]);
  expect(error).toHaveBeenCalledOnce();
});

test('a stopping worker stops its runs, and those that are started later', async () => {
  const { id, runStore, scheduler, settle, processRun, isCanceled, stop } = await setUp();
  scheduler.start(id);
  expect(isCanceled()).toBe(false);
  stop.abort('stopping');
  expect(processRun.mock.calls[0]?.[1].reason).toBe('stopping');
  const { id: later } = await runStore.accept({ task: someTask({ id: 'later' }), refusal: null });
  scheduler.start(later);
  expect(processRun.mock.calls[1]?.[1].reason).toBe('stopping');
  settle.resolve(undefined);
  await scheduler.idle();
});
