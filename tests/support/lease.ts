import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';

import type { Lease, LeaseClock } from '../../src/worker/run-state/lease.js';

/** A lease that is always held, for tests that are not about leases. */
export const heldLease: Pick<Lease, 'hold' | 'confirm'> = {
  hold: async () => undefined,
  confirm: async () => undefined,
};

/** The clock of one host in a test, which advances only on request. */
export interface FakeHostClock extends LeaseClock {
  /** The process is stopped: time passes, but none of its timers fires. */
  isStopped: boolean;
  /** Lets time pass, for the process and the machine. */
  pass(ms: number, on?: { monotonic?: boolean; boottime?: boolean }): void;
}

export function fakeHostClock(): FakeHostClock {
  const time = { monotonic: 0, boottime: 0 };
  let sleepers: { until: number; wake: () => void }[] = [];
  const wakeDue = (): void => {
    if (clock.isStopped) return;
    const due = sleepers.filter(({ until }) => until <= time.monotonic);
    sleepers = sleepers.filter(({ until }) => until > time.monotonic);
    for (const { wake } of due) wake();
  };
  const clock: FakeHostClock = {
    isStopped: false,
    monotonic: () => time.monotonic,
    boottime: () => time.boottime,
    async sleep(ms, { signal }) {
      if (signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        const sleeper = { until: time.monotonic + ms, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter((each) => each !== sleeper);
          resolve();
        });
      });
    },
    pass(ms, { monotonic = true, boottime = true } = {}) {
      if (monotonic) time.monotonic += ms;
      if (boottime) time.boottime += ms;
      wakeDue();
    },
  };
  return clock;
}

/**
 * Room for about as many calls on files as taking over needs, made by calls of the same kinds: on a busy machine, where those of
 * the hosts take long, these do as well.
 */
async function filesTurn(): Promise<void> {
  const file = await open(join(tmpdir(), `dsa-turn-${process.pid}-${threadId}`), 'w');
  try {
    for (let call = 0; call < 8; call += 1) await file.stat();
    await file.datasync();
    await nextTurn();
  } finally {
    await file.close();
  }
}

/** Lets time pass on some hosts in small steps, with time for file operations in between, until a condition holds. */
export async function passUntil<T>(
  clocks: readonly FakeHostClock[],
  awaited: Promise<T>,
  { stepMs = 100, longestMs = 60_000 } = {},
): Promise<T> {
  const notYet = Symbol('not yet');
  for (let passed = 0; passed < longestMs; passed += stepMs) {
    for (const clock of clocks) clock.pass(stepMs);
    await filesTurn();
    const result = await Promise.race([awaited, nextTurn(notYet)]);
    if (result !== notYet) return result;
  }
  throw new Error(`not within ${longestMs} ms of the hosts' time`);
}

/** Lets this much time pass on some hosts. */
export async function passTime(clocks: readonly FakeHostClock[], ms: number, stepMs = 100): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    for (const clock of clocks) clock.pass(stepMs);
    await filesTurn();
  }
}
