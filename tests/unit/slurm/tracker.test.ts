import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterEach, expect, it, vi } from 'vitest';
import type { Clock } from '../../../src/base/clock.js';
import type { CommandResult } from '../../../src/base/command.js';
import { silentLog } from '../../../src/base/log.js';
import { createSeparators, parseSqueue, squeueArguments } from '../../../src/slurm/commands/squeue.js';
import { createTracker, keepRows, type Tracker } from '../../../src/slurm/tracker.js';
import { fakeRun, printed, squeueLine, unreachable, type Call } from './fake-run.js';

/** A clock that stands still until it is moved. */
function manualClock() {
  let now = 1_000_000;
  let setBy = 0;
  const sleepers = new Set<{ until: number; wake: () => void }>();
  const clock: Clock = {
    now: () => now + setBy,
    monotonic: () => now,
    sleep: async (ms, signal) =>
      new Promise((resolve) => {
        const sleeper = { until: now + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', wake, { once: true });
        if (signal?.aborted === true) wake();
        function wake(): void {
          sleepers.delete(sleeper);
          resolve();
        }
      }),
  };
  return {
    clock,
    /** An administrator sets the wall clock. */
    setBack(ms: number) {
      setBy -= ms;
    },
    /** Moves time when somebody waits for it. */
    async forward(ms: number) {
      await vi.waitFor(() => expect(sleepers.size).toBe(1));
      now += ms;
      for (const sleeper of sleepers) if (sleeper.until <= now) sleeper.wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

let tracker: Tracker | undefined;
afterEach(async () => tracker?.stop());

function track(answer: (call: Call, question: number) => CommandResult) {
  const time = manualClock();
  const { run, calls } = fakeRun((call) => answer(call, calls.length));
  tracker = createTracker({
    run,
    clock: time.clock,
    intervalMs: 10_000,
    scope: { kind: 'mine' },
    user: 'me',
    log: silentLog(),
  });
  tracker.start();
  return { tracker, calls, ...time };
}

const job = (call: Call, id: string, state: string) => squeueLine(call, { JobArrayID: id, State: state });

it('polls at its interval and keeps unchanged rows', async () => {
  const { tracker, calls, forward } = track((call, question) =>
    printed(job(call, '1', 'RUNNING') + job(call, '2', question < 3 ? 'PENDING' : 'RUNNING')),
  );
  await vi.waitFor(() => expect(tracker.view().at).toBe(1_000_000));
  const first = tracker.view();
  await forward(9_000);
  expect(calls).toHaveLength(1);
  await forward(1_000);
  await vi.waitFor(() => expect(tracker.view().at).toBe(1_010_000));
  expect(tracker.view().rows).toBe(first.rows);
  await forward(10_000);
  await vi.waitFor(() => expect(tracker.view().at).toBe(1_020_000));
  expect(tracker.view().rows).not.toBe(first.rows);
  expect(tracker.view().rows[0]).toBe(first.rows[0]);
  expect(tracker.row('2')?.state.base).toBe('RUNNING');
});

it('keeps the last answer while Slurm does not respond, and polls less often', async () => {
  const { tracker, calls, forward } = track((call, question) =>
    question > 1 && question < 6 ? unreachable : printed(job(call, '1', 'RUNNING')),
  );
  const seen: (string | null)[] = [];
  tracker.onAnswer((view) => seen.push(view.problem));
  await vi.waitFor(() => expect(seen).toEqual([null]));
  await forward(10_000);
  await vi.waitFor(() => expect(seen).toHaveLength(2));
  expect(tracker.view()).toMatchObject({
    at: 1_000_000,
    problem: expect.stringContaining('Unable to contact'),
  });
  expect(tracker.row('1')).toBeDefined();
  for (const [pause, questions] of [
    [20_000, 3],
    [40_000, 4],
    [60_000, 5],
    [60_000, 6],
  ] as const) {
    await forward(pause - 1_000);
    tracker.pollSoon();
    expect(calls).toHaveLength(questions - 1);
    await forward(1_000);
    await vi.waitFor(() => expect(seen).toHaveLength(questions));
  }
  expect(tracker.view()).toMatchObject({ problem: null });
  await forward(10_000);
  await vi.waitFor(() => expect(seen).toHaveLength(7));
});

it('polls soon after pollSoon, but at most once a second', async () => {
  const { tracker, calls, forward } = track((call) => printed(job(call, '1', 'RUNNING')));
  await vi.waitFor(() => expect(tracker.view().at).not.toBeNull());
  await forward(100);
  for (let count = 0; count < 20; count++) tracker.pollSoon();
  await forward(800);
  expect(calls).toHaveLength(1);
  await forward(100);
  await vi.waitFor(() => expect(calls).toHaveLength(2));
  await forward(9_000);
  expect(calls).toHaveLength(2);
});

it('reports records that it could not parse', async () => {
  const { tracker } = track((call) => printed(`${job(call, '1', 'RUNNING')}torn`));
  await vi.waitFor(() =>
    expect(tracker.view()).toMatchObject({
      rows: [{ id: '1' }],
      problem: expect.stringContaining('1 records'),
    }),
  );
});

it('survives a listener that throws', async () => {
  const { tracker, forward } = track((call) => printed(job(call, '1', 'RUNNING')));
  const heard = vi.fn<() => void>();
  tracker.onAnswer(() => {
    throw new Error('listener');
  });
  const off = tracker.onAnswer(heard);
  await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
  off();
  await forward(10_000);
  await vi.waitFor(() => expect(tracker.view().at).toBe(1_010_000));
  expect(heard).toHaveBeenCalledTimes(1);
});

it('stops polling', async () => {
  const { tracker, calls } = track((call) => printed(job(call, '1', 'RUNNING')));
  await vi.waitFor(() => expect(calls).toHaveLength(1));
  await tracker.stop();
  tracker.pollSoon();
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toHaveLength(1);
});

it('polls all users while requested, and picks its own jobs', async () => {
  const { tracker, calls, forward } = track((call) => {
    const mine = squeueLine(call, { JobArrayID: '1', State: 'RUNNING', UserName: 'me' });
    const theirs = squeueLine(call, { JobArrayID: '2', State: 'RUNNING', UserName: 'them' });
    return printed(call.args.includes('--me') ? mine : mine + theirs);
  });
  await vi.waitFor(() => expect(tracker.view().at).toBe(1_000_000));
  const { rows } = tracker.view();
  const stop = tracker.includeAllUsers();
  await forward(1_000);
  await vi.waitFor(() => expect(tracker.allJobs().at).toBe(1_001_000));
  expect(calls).toHaveLength(2);
  expect(tracker.allJobs().rows.map(({ id }) => id)).toEqual(['1', '2']);
  expect(tracker.view()).toEqual({ rows, at: 1_001_000, problem: null });
  expect(tracker.view().rows).toBe(rows);
  stop();
  await forward(10_000);
  await vi.waitFor(() => expect(tracker.view().at).toBe(1_011_000));
  expect(calls[2]?.args).toContain('--me');
  // what is not asked for any more stays, with its age
  expect(tracker.allJobs()).toMatchObject({ at: 1_001_000, rows: [{ id: '1' }, { id: '2' }] });
});

it('applies a new interval at once', async () => {
  const { tracker, calls, forward } = track((call) => printed(job(call, '1', 'RUNNING')));
  await vi.waitFor(() => expect(calls).toHaveLength(1));
  tracker.setPollInterval(3_000);
  expect(tracker.everyMs()).toBe(3_000);
  await forward(3_000);
  await vi.waitFor(() => expect(calls).toHaveLength(2));
  tracker.setPollInterval(20_000);
  await forward(10_000);
  expect(calls).toHaveLength(2);
  await forward(10_000);
  await vi.waitFor(() => expect(calls).toHaveLength(3));
});

it('keeps polling at its interval when the wall clock is set back by hours', async () => {
  const { calls, setBack, forward } = track((call) => printed(job(call, '1', 'RUNNING')));
  await vi.waitFor(() => expect(calls).toHaveLength(1));
  setBack(3 * 60 * 60_000);
  await forward(10_000);
  await vi.waitFor(() => expect(calls).toHaveLength(2));
});

it('does not keep the output of squeue in memory for the sake of the rows that it keeps', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const separators = createSeparators('nonce');
  const call = { file: 'squeue', args: squeueArguments({ kind: 'mine' }, separators), options: {} };
  const answers = 200;
  const kept: unknown[] = [];
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let id = 1; id <= answers; id += 1) {
    const line = squeueLine(call, {
      JobArrayID: String(id),
      State: 'RUNNING',
      Name: `a name of more than a few characters ${id}`,
    });
    // decoded from bytes, as the output of a command is
    const output = Buffer.from(`${' '.repeat(100_000)}\n${line}`).toString();
    kept.push(...keepRows(new Map(), parseSqueue(output, separators).rows));
  }
  collectGarbage();
  expect(kept).toHaveLength(answers);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(answers * 10_000);
});
