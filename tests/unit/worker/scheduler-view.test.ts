import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { SchedulerAnswer } from '../../../src/slurm/commands/sdiag.js';
import type { SchedulerView } from '../../../src/worker/views/live-views.js';
import { watchScheduler } from '../../../src/worker/views/scheduler.js';

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
  expect(seen.at(-1)).toEqual({ sections, at: 60_000, trouble: null });
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
  expect(seen.at(-1)).toMatchObject({ sections, trouble: 'sdiag: denied' });
  stop();
  const before = asked;
  await pass(600_000);
  expect(asked).toBe(before);
});
