import { setTimeout as delay } from 'node:timers/promises';

/** Time in milliseconds, passed in so that tests can control it. */
export interface Clock {
  /** Milliseconds since the epoch, for display and for other machines. NTP or an administrator can set it back at any time. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never jumps. Use it to measure durations. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node fires a timer with a longer delay immediately. */
const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    try {
      let left = ms;
      do {
        await delay(Math.min(left, maxTimerMs), undefined, signal === undefined ? {} : { signal });
        left -= maxTimerMs;
      } while (left > 0);
    } catch {
      // aborted: the caller checks its signal
    }
  },
};
