import { setTimeout as delay } from 'node:timers/promises';

/** Time, passed in so that tests decide how it goes, in milliseconds. */
export interface Clock {
  /** Since the epoch: for what people and other machines read. An administrator or NTP may set it back at any moment. */
  now(): number;
  /** Since some moment; it never jumps. Everything that measures or waits counts by this. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What a timer can hold: a longer one would end at once. */
const longestTimer = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    try {
      let left = ms;
      do {
        await delay(Math.min(left, longestTimer), undefined, signal === undefined ? {} : { signal });
        left -= longestTimer;
      } while (left > 0);
    } catch {
      // aborted: the sleeper looks at its signal itself
    }
  },
};
