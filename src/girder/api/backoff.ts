import { backoffDelay } from '../../base/backoff.js';

/**
 * Milliseconds to wait after the `failures`-th failure in a row of asking Girder. `retryAfter` (seconds) is Girder's own
 * wish. No wait is longer than `longest`.
 */
export function backoff(failures: number, retryAfter: number | null = null, longest = 60_000): number {
  return backoffDelay(failures - 1, { initialMs: 1_000, maxMs: longest, minMs: (retryAfter ?? 0) * 1_000 });
}
