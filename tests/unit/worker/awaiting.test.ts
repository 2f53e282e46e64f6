import { describe, expect, test } from 'vitest';

import type { Clock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import type { Task } from '../../../src/celery/messages/task.js';
import { silentGirderJob } from '../../../src/girder/jobs/job.js';
import { openRunStore } from '../../../src/worker/run-state/run-store.js';
import type { CancelSource } from '../../../src/worker/run-state/run.js';
import { waitUntilDue } from '../../../src/worker/stages/accepted.js';
import { someTask } from '../../support/tasks.js';

const start = Date.UTC(2026, 10, 23, 10);
const at = (seconds: number): string => new Date(start + seconds * 1_000).toISOString();

/** A run that waits, on a clock whose sleepers are woken in the order of their times. */
async function setUp(over: Partial<Task>, read: (now: number) => Promise<'canceled' | 'nothing'>) {
  let now = start;
  const sleepers = new Set<{ until: number; wake: () => void }>();
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    async sleep(ms, signal) {
      if (signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        const sleeper = { until: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          resolve();
        });
      });
    },
  };
  const stop = new AbortController();
  const canceled = new AbortController();
  const log = silentLog();
  const journal = {
    append: async () => undefined,
    appendSoon: () => undefined,
    compact: async () => undefined,
    probe: async () => undefined,
    bytes: () => 0,
    state: () => ({ path: '/journal', bytes: 0, synced: null }),
    close: async () => undefined,
  };
  const runStore = openRunStore(new Map(), journal, { clock, log, stopping: stop.signal });
  const task = someTask(over);
  const run = await runStore.accept({ task, refusal: null });
  const cancel = async (by: CancelSource): Promise<void> => {
    await runStore.record(task.id, { type: 'cancel-requested', by });
    canceled.abort();
  };
  const girderJob = {
    ...silentGirderJob(),
    read: async () => {
      if ((await read(now)) === 'canceled') await cancel('girder');
      return { status: 0, handler: '' };
    },
  };
  const context = {
    id: task.id,
    girderJob,
    signal: AbortSignal.any([stop.signal, canceled.signal]),
    stopping: stop.signal,
  };
  let isOver = false;
  const done = waitUntilDue(run, context, { runStore, clock, log }).finally(() => {
    isOver = true;
  });
  // looked at when all is played
  done.catch(() => undefined);
  return {
    done,
    cancel,
    stop: () => stop.abort(),
    /** Lets time pass until all that sleep are awake, or until it is `until`. */
    async play(until = Infinity) {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        const [next] = [...sleepers].sort((a, b) => a.until - b.until);
        if (isOver || next === undefined || next.until > until) return (now - start) / 1_000;
        sleepers.delete(next);
        now = next.until;
        next.wake();
      }
    },
  };
}

const nothing = async () => 'nothing' as const;

describe('a task with an eta', () => {
  test('waits for it, and checks Girder for a cancel each minute', async () => {
    const asked: number[] = [];
    const { done, play } = await setUp({ eta: at(150) }, async (now) => {
      asked.push((now - start) / 1_000);
      return 'nothing';
    });
    expect(await play()).toBe(150);
    expect(await done).toBeNull();
    expect(asked).toEqual([60, 120]);
  });

  test('stops waiting once Girder reports a cancel', async () => {
    const { done, play } = await setUp({ eta: at(86_400) }, async () => 'canceled');
    expect(await play()).toBe(60);
    expect(await done).toMatchObject({ by: 'girder' });
  });

  test('keeps waiting if Girder does not answer', async () => {
    const { done, play } = await setUp({ eta: at(100) }, async () => {
      throw new Error('no answer');
    });
    expect(await play()).toBe(100);
    expect(await done).toBeNull();
  });

  test('can be revoked', async () => {
    const { done, play, cancel } = await setUp({ eta: at(86_400) }, nothing);
    await play(start + 30_000);
    await cancel('celery');
    expect(await play()).toBe(0);
    expect(await done).toMatchObject({ by: 'celery' });
  });

  test('is resumed at the next start when the worker stops', async () => {
    const { done, play, stop } = await setUp({ eta: at(86_400) }, nothing);
    stop();
    await play();
    await expect(done).rejects.toThrow(/abort/);
  });

  test('starts at once if it has passed', async () => {
    const { done, play } = await setUp({ eta: at(-5) }, nothing);
    expect(await play()).toBe(0);
    expect(await done).toBeNull();
  });
});

test.each([
  ['before it comes', { expires: at(-1) }, 'expiry'],
  ['while it waits', { eta: at(20), expires: at(10) }, 'expiry'],
  ['later', { eta: at(20), expires: at(30) }, null],
])('a task that expires %s', async (_, times, by) => {
  const { done, play } = await setUp(times, nothing);
  await play();
  expect((await done)?.by ?? null).toBe(by);
});
