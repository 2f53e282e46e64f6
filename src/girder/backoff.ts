/**
 * Milliseconds to wait after the `failures`-th failure in a row: growing from half a second to a minute, with half of it left to
 * chance so that many runs do not come back at the same moment. `retryAfter` (seconds) is the other side's wish.
 */
export function backoff(failures: number, retryAfter: number | null = null): number {
  const longest = 60_000;
  const full = Math.min(longest, 1_000 * 2 ** Math.min(failures - 1, 10));
  const wait = full / 2 + (Math.random() * full) / 2;
  return retryAfter === null ? wait : Math.min(longest, Math.max(wait, retryAfter * 1_000));
}
