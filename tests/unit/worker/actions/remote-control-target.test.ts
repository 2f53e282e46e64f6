import { expect, test } from 'vitest';
import { silentLog } from '../../../../src/base/log.js';
import { openRunStore, type RunStore, type NewRunEvent } from '../../../../src/worker/run-state/run-store.js';
import { createControlTarget } from '../../../../src/worker/actions/remote-control-target.js';
import type { Journal } from '../../../../src/worker/run-state/journal.js';
import type { Run } from '../../../../src/worker/run-state/run.js';
import { someTask } from '../../../support/tasks.js';

const now = Date.UTC(2026, 10, 23);

const memory: Journal = {
  append: async () => undefined,
  appendSoon: () => undefined,
  compact: async () => undefined,
  probe: async () => undefined,
  bytes: () => 0,
  state: () => ({ path: '/journal', bytes: 0, synced: null }),
  close: async () => undefined,
};

function createTrial(runs = new Map<string, Run>(), time = { now }) {
  const clock = { now: () => time.now, monotonic: () => time.now, sleep: async () => undefined };
  const runStore = openRunStore(runs, memory, {
    clock,
    log: silentLog(),
    stopping: new AbortController().signal,
  });
  const revoked: string[] = [];
  const canceled: string[] = [];
  const target = createControlTarget({
    runStore,
    clock,
    limit: 5,
    revoked: { add: async (ids) => void revoked.push(...ids), ids: () => revoked },
    cancelSoon: (id, by) => canceled.push(`${id} by ${by}`),
    shutdown: null,
    log: silentLog(),
  });
  const seen = () => ({
    active: target.active().map(({ id }) => id),
    activeCount: target.activeCount(),
    reserved: target.reserved().map(({ id }) => id),
    scheduled: target.scheduled().map(({ id }) => id),
    ready: target.ready().map(({ id }) => id),
  });
  return { runStore, target, seen, runs, revoked, canceled };
}

async function record(runStore: RunStore, id: string, ...news: NewRunEvent[]): Promise<void> {
  for (const one of news) await runStore.record(id, one);
}

const submitted: NewRunEvent = { type: 'submitted', jobId: '7' };
const finished: NewRunEvent = { type: 'finished', told: true };
const decided = (outcome: Run['outcome'] & string): NewRunEvent => ({
  type: 'decided',
  outcome,
  reason: null,
});

test('a run is scheduled, then reserved, and active until its end is reported', async () => {
  const { runStore, seen } = createTrial();
  const eta = new Date(now + 60_000).toISOString();
  await runStore.accept({ task: someTask({ id: 'later', eta }), refusal: null });
  await runStore.accept({
    task: someTask({ id: 'due', eta: new Date(now - 1_000).toISOString() }),
    refusal: null,
  });
  await runStore.accept({ task: someTask({ id: 'a' }), refusal: null });
  expect(seen()).toEqual({
    active: [],
    activeCount: 0,
    reserved: ['due', 'a'],
    scheduled: ['later'],
    ready: [],
  });

  for (const one of [
    { type: 'staging' },
    submitted,
    { type: 'started' },
    decided('succeeded'),
  ] as NewRunEvent[]) {
    await record(runStore, 'a', one);
    expect(seen()).toEqual({
      active: ['a'],
      activeCount: 1,
      reserved: ['due'],
      scheduled: ['later'],
      ready: [],
    });
  }
  await record(runStore, 'a', finished);
  expect(seen()).toEqual({
    active: [],
    activeCount: 0,
    reserved: ['due'],
    scheduled: ['later'],
    ready: ['a'],
  });
});

test('a run that waited began when its turn came, and one that never had a turn never began', async () => {
  const clock = { now };
  const { runStore, target } = createTrial(new Map(), clock);
  await runStore.accept({ task: someTask({ id: 'a', priority: 4 }), refusal: null });
  await runStore.accept({ task: someTask({ id: 'b' }), refusal: null });
  clock.now += 60_000;
  await record(runStore, 'a', { type: 'staging' }, submitted);
  await record(runStore, 'b', { type: 'cancel-requested', by: 'celery' }, decided('canceled'), finished);
  expect(target.active()).toMatchObject([{ id: 'a', startedAt: now + 60_000, priority: 4 }]);
  expect(target.ready()).toMatchObject([{ id: 'b', startedAt: null, priority: 0 }]);
});

test('a run counts from its beginning, once, and not if it was canceled before', async () => {
  const { runStore, target, runs } = createTrial();
  for (const id of ['a', 'b', 'c', 'd'])
    await runStore.accept({ task: someTask({ id, name: id === 'd' ? 'other' : 'some' }), refusal: null });
  expect(target.totals()).toEqual({});

  await record(
    runStore,
    'a',
    { type: 'staging' },
    { type: 'staging' },
    submitted,
    decided('succeeded'),
    finished,
  );
  runStore.recordVolatile('a', { type: 'described', description: { user: 'late' } });
  expect(target.totals()).toEqual({ some: 1 });

  await record(runStore, 'b', { type: 'cancel-requested', by: 'celery' }, decided('canceled'), finished);
  expect(target.totals()).toEqual({ some: 1 });

  // refused before its turn came: begun and ended at once
  await record(runStore, 'd', decided('failed'), finished);
  await record(runStore, 'c', { type: 'staging' });
  expect(target.totals()).toEqual({ some: 2, other: 1 });

  // what an earlier life has ended is not counted again, what it left open is
  expect(createTrial(new Map(runs)).target.totals()).toEqual({ some: 1 });
});

test('a revoked task is remembered, and canceled: by Celery, or by termination once it has begun', async () => {
  const { runStore, target, revoked, canceled } = createTrial();
  for (const id of ['a', 'b']) await runStore.accept({ task: someTask({ id }), refusal: null });
  await record(runStore, 'b', { type: 'staging' });
  target.revoke(['a', 'b', 'unknown'], true);
  target.revoke(['b'], false);
  expect(revoked).toEqual(['a', 'b', 'unknown', 'b']);
  expect(target.revoked()).toEqual(revoked);
  expect(canceled).toEqual(['a by celery', 'b by termination', 'unknown by celery', 'b by celery']);
});
