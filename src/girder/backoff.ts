import { backoffDelay } from '../base/backoff.js';

/**
 * Milliseconds to wait after the `failures`-th failure in a row of asking Girder. `retryAfter` (seconds) is Girder's own
 * wish.
 */
export function backoff(failures: number, retryAfter: number | null = null): number {
  return backoffDelay(failures - 1, { first: 1_000, longest: 60_000, atLeast: (retryAfter ?? 0) * 1_000 });
}
