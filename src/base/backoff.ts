interface BackoffOptions {
  /** Delay before the first retry, in milliseconds. */
  initialMs: number;
  /** Upper limit of the delay, in milliseconds. */
  maxMs: number;
  /** Lower limit, such as the server's `Retry-After`, in milliseconds; at most `maxMs` of it is respected. Default 0. */
  minMs?: number;
  /** 0 to 1, as `Math.random`. Default `Math.random`. */
  random?: () => number;
}

/**
 * Milliseconds to wait before retry `attempt` (0, 1, …): exponential, with up to half of it replaced by jitter, so that clients
 * that failed together do not all retry at the same time.
 */
export function backoffDelay(
  attempt: number,
  { initialMs, maxMs, minMs = 0, random = Math.random }: BackoffOptions,
): number {
  const full = Math.min(maxMs, initialMs * 2 ** Math.min(attempt, 30));
  const wait = Math.round(full * (1 - random() / 2));
  return Math.max(wait, Math.min(minMs, maxMs));
}
