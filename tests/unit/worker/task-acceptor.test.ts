import { describe, expect, test, vi } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import type { Broker } from '../../../src/celery/broker.js';
import { openRunStore } from '../../../src/worker/run-state/run-store.js';
import { createTaskAcceptor, pingTask } from '../../../src/worker/task-acceptor.js';
import type { Journal } from '../../../src/worker/run-state/journal.js';
import { someTask } from '../../support/tasks.js';

/** An acceptor with a journal in memory that can be made to fail. */
function setUp(limit = 10) {
  const written: string[] = [];
  const flow: string[] = [];
  const started: string[] = [];
  const results: string[] = [];
  let broken = false;
  const journal: Journal = {
    async append(id, event) {
      if (broken) throw new Error('disk full');
      written.push(`${id} ${event.type}`);
    },
    appendSoon: (id, event) => void written.push(`${id} ${event.type}`),
    compact: async () => undefined,
    async probe() {
      if (broken) throw new Error('disk full');
    },
    bytes: () => 0,
    state: () => ({ path: '/journal', bytes: 0, synced: null }),
    close: async () => undefined,
  };
  const log = silentLog();
  const stop = new AbortController();
  const runStore = openRunStore(new Map(), journal, { clock: systemClock, log, stopping: stop.signal });
  const broker = {
    pauseConsuming: async () => void flow.push('pause'),
    resumeConsuming: async () => void flow.push('resume'),
    publishResult: async (task, { status }) => void results.push(`${task.id} ${status}`),
  } as Broker;
  const revoked = new Set<string>();
  const closed = { value: false };
  const intake = createTaskAcceptor({
    runStore,
    broker: () => broker,
    limit,
    isClosed: () => closed.value,
    isRevoked: (id) => revoked.has(id),
    onRun: (id) => started.push(id),
    clock: systemClock,
    log,
  });
  const breakJournal = (value: boolean) => (broken = value);
  return { intake, revoked, closed, runStore, written, flow, started, results, breakJournal, stop };
}

describe('intake', () => {
  test('a task resolves once its run is journaled, and starts once', async () => {
    const { intake, written, started } = setUp();
    await intake.onTask(someTask({ id: 'a' }));
    expect(written).toEqual(['a accepted']);
    expect(started).toEqual(['a']);
  });

  test('a task that is delivered twice is one run', async () => {
    const { intake, started } = setUp();
    await Promise.all([intake.onTask(someTask({ id: 'a' })), intake.onTask(someTask({ id: 'a' }))]);
    await intake.onTask(someTask({ id: 'a', redelivered: true }));
    expect(started).toEqual(['a']);
  });

  test('closes while Slurm accepts no jobs, and reopens', async () => {
    const { intake, closed, flow } = setUp();
    closed.value = true;
    intake.adjust();
    expect(intake.state()).toBe('blocked');
    await vi.waitFor(() => expect(flow).toEqual(['pause']));
    closed.value = false;
    intake.adjust();
    expect(intake.state()).toBe('open');
    await vi.waitFor(() => expect(flow).toEqual(['pause', 'resume']));
  });

  test('a task that cannot be journaled is not accepted, consuming pauses while the disk is full, and a redelivery is accepted', async () => {
    const { intake, started, runStore, breakJournal, flow } = setUp();
    breakJournal(true);
    await expect(intake.onTask(someTask({ id: 'a' }))).rejects.toThrow('disk full');
    expect(runStore.get('a')).toBeUndefined();
    expect(runStore.problem()).toContain('disk full');
    expect(intake.state()).toBe('blocked');
    await vi.waitFor(() => expect(flow).toEqual(['pause']));
    breakJournal(false);
    // nobody else tries: nothing comes in
    await vi.waitFor(() => expect(flow).toEqual(['pause', 'resume']), 20_000);
    expect(runStore.problem()).toBeNull();
    expect(intake.state()).toBe('open');
    await intake.onTask(someTask({ id: 'a' }));
    expect(started).toEqual(['a']);
  });

  test('at the limit consuming pauses and tasks are rejected, until a run has finished', async () => {
    const { intake, flow, runStore } = setUp(2);
    await intake.onTask(someTask({ id: 'a' }));
    await intake.onTask(someTask({ id: 'b' }));
    await expect(intake.onTask(someTask({ id: 'c' }))).rejects.toThrow(/limit/);
    expect(intake.state()).toBe('full');
    await runStore.record('a', { type: 'decided', outcome: 'succeeded', reason: null });
    await runStore.record('a', { type: 'finished', told: true });
    intake.adjust();
    await expect.poll(() => flow).toEqual(['pause', 'resume']);
    expect(intake.state()).toBe('open');
  });

  test('a pause by the operator outlasts the in-flight limit', async () => {
    const { intake, flow } = setUp();
    intake.request('paused');
    intake.adjust();
    expect(intake.state()).toBe('paused');
    intake.request('open');
    await expect.poll(() => flow).toEqual(['pause', 'resume']);
  });

  test('runs that only wait for Girder do not count, up to the in-flight limit', async () => {
    const { intake, runStore, flow } = setUp(2);
    const away = (id: string): void =>
      void runStore.recordVolatile(id, { type: 'girder-problem', problem: 'Girder is away.' });
    for (const id of ['a', 'b']) await intake.onTask(someTask({ id }));
    expect(intake.state()).toBe('full');
    away('a');
    away('b');
    intake.adjust();
    expect(intake.state()).toBe('open');
    for (const id of ['c', 'd']) await intake.onTask(someTask({ id }));
    away('c');
    expect(intake.state()).toBe('full');
    await expect(intake.onTask(someTask({ id: 'e' }))).rejects.toThrow(/limit/);
    // one whose job is in Slurm uses the cluster, whatever Girder does
    for (const id of ['a', 'b', 'c']) {
      runStore.recordVolatile(id, { type: 'girder-problem', problem: null });
    }
    expect(runStore.waitingForGirder()).toBe(0);
    await runStore.record('d', { type: 'submitted', jobId: '1' });
    away('d');
    expect(runStore.waitingForGirder()).toBe(0);
    away('a');
    await runStore.record('a', { type: 'decided', outcome: 'failed', reason: null });
    await runStore.record('a', { type: 'finished', told: false });
    expect(runStore.waitingForGirder()).toBe(0);
    expect(flow).toEqual(['pause', 'resume', 'pause']);
  });

  test("the doctor's ping is answered even at the limit, and leaves nothing behind", async () => {
    const { intake, runStore, written, started, results } = setUp(0);
    await intake.onTask(someTask({ id: 'p', name: pingTask }));
    expect(results).toEqual(['p SUCCESS']);
    expect([[...runStore.all()], written, started]).toEqual([[], [], []]);
  });

  test('a task that was revoked before its delivery is canceled at once', async () => {
    const { revoked, intake, runStore } = setUp();
    revoked.add('a');
    await intake.onTask(someTask({ id: 'a' }));
    expect(runStore.get('a')?.cancel?.by).toBe('celery');
  });

  test('a full disk does not keep the worker from stopping', async () => {
    const { intake, runStore, breakJournal, stop } = setUp();
    await intake.onTask(someTask({ id: 'a' }));
    breakJournal(true);
    const recorded = runStore.record('a', { type: 'started' });
    await expect.poll(() => runStore.problem()).toContain('disk full');
    stop.abort(new Error('stopped'));
    await expect(recorded).rejects.toThrow('stopped');
  });

  const refused = {
    queue: 'celery',
    id: 'a',
    name: 'x.y',
    reason: 'pickle',
    replyTo: 'caller',
    correlationId: 'c',
    ignoreResult: false,
  };

  test('a refused message becomes a run if it names a Girder job, else a failed result at once', async () => {
    const { intake, runStore, results } = setUp();
    await intake.onRefused({ ...refused, headers: { jobInfoSpec: {} } });
    expect(runStore.get('a')).toMatchObject({
      refusal: 'pickle',
      stage: 'accepted',
      task: { replyTo: 'caller', correlationId: 'c', ignoreResult: false },
    });
    expect(results).toEqual([]);
    await intake.onRefused({ ...refused, id: 'b', headers: {} });
    await intake.onRefused({ ...refused, id: null, headers: null });
    expect(runStore.inFlight()).toBe(1);
    expect(results).toEqual(['b FAILURE']);
  });

  test('a refused message without a usable id is reported to its Girder job, once', async () => {
    const { intake, runStore } = setUp();
    const headers = { jobInfoSpec: { reference: '0123456789abcdef01234567' } };
    const refusal = { ...refused, id: null, reason: 'no id', headers };
    await intake.onRefused(refusal);
    await intake.onRefused(refusal);
    expect([...runStore.all()]).toMatchObject([{ refusal: 'no id', task: { headers } }]);
  });
});
