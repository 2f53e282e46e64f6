import type { Clock } from '../../base/clock.js';

/** Waits for `work`, but at most `ms`; resolves in both cases. Leaves no timer behind that would keep the process alive. */
export async function withTimeout(ms: number, work: Promise<unknown>, clock: Clock): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([work, clock.sleep(ms, done.signal)]);
  } finally {
    done.abort();
  }
}
