import { setTimeout as delay } from 'node:timers/promises';

/** Time, passed in so that tests decide how it goes. All times are milliseconds since the epoch. */
export interface Clock {
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What a timer can hold: a longer one would end at once. */
const longestTimer = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
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
