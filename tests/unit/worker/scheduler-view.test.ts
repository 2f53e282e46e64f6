import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { AccountedHistory } from '../../../src/slurm/commands/sacct.js';
import type { SchedulerAnswer } from '../../../src/slurm/commands/sdiag.js';
import type { AccountingView, SchedulerView } from '../../../src/worker/views/live-views.js';
import { watchAccounting, watchScheduler } from '../../../src/worker/views/scheduler.js';

const sections = [{ title: 'Controller', facts: [['Server thread count', '3'] as const] }];
let asked: number;
let answer: SchedulerAnswer;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  asked = 0;
  answer = { kind: 'answer', sections };
});

afterEach(() => {
  vi.useRealTimers();
});

const clock = {
  now: () => Date.now(),
  monotonic: () => Date.now(),
  sleep: async (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

const pass = async (ms: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(ms));

test('sdiag runs only while somebody looks, and never twice within ten seconds', async () => {
  const executor = { schedulerStatistics: async () => ((asked += 1), answer) };
  const watch = watchScheduler(executor, 1_000, clock);
  await pass(60_000);
  expect(asked).toBe(0);
  const seen: SchedulerView[] = [];
  let stop = watch.listen((view) => seen.push(view));
  await pass(0);
  expect(asked).toBe(1);
  expect(seen.at(-1)).toEqual({ sections, at: 60_000, problem: null });
  await pass(10_000);
  expect(asked).toBe(1);
  // opening and closing the page repeatedly
  for (let opened = 0; opened < 5; opened += 1) {
    await pass(1_000);
    stop();
    stop = watch.listen((view) => seen.push(view));
  }
  await pass(0);
  expect(asked).toBe(2);
  answer = { kind: 'silence', why: 'sdiag: denied' };
  await pass(60_000);
  expect(seen.at(-1)).toMatchObject({ sections, problem: 'sdiag: denied' });
  stop();
  const before = asked;
  await pass(600_000);
  expect(asked).toBe(before);
});

test('sacct runs only while somebody looks, and is asked for one day; further jobs are only counted', async () => {
  const since: number[] = [];
  const jobs = Array.from({ length: 1_003 }, (_, index) => ({
    id: String(index + 1),
    name: 'align',
    state: { base: 'COMPLETED', flags: [] },
    exitCode: null,
    submittedAt: null,
    startedAt: null,
    endedAt: null,
  }));
  let history: AccountedHistory = { kind: 'jobs', jobs };
  const watch = watchAccounting({ accountedJobs: async (from) => (since.push(from), history) }, clock);
  const day = 24 * 60 * 60_000;
  await pass(day);
  const seen: AccountingView[] = [];
  const stop = watch.listen((view) => seen.push(view));
  await pass(0);
  expect(since).toEqual([0]);
  expect(seen.at(-1)).toMatchObject({ isKept: true, omitted: 3, at: day, problem: null });
  expect(seen.at(-1)?.jobs).toHaveLength(1_000);
  history = { kind: 'silence', why: 'sacct timed out' };
  await pass(60_000);
  expect(seen.at(-1)).toMatchObject({ isKept: true, omitted: 3, at: day, problem: 'sacct timed out' });
  history = { kind: 'no-accounting' };
  await pass(120_000);
  expect(seen.at(-1)).toMatchObject({ isKept: false, jobs: [], problem: null });
  stop();
  const before = since.length;
  await pass(600_000);
  expect(since).toHaveLength(before);
});
