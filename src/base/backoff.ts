export interface BackoffOptions {
  /** Milliseconds before the first repetition. */
  initialMs: number;
  /** Never longer than this. */
  maxMs: number;
  /** Milliseconds that the other side asked to be left alone for; kept to, up to `longest`. */
  minMs?: number;
  /** 0 to 1, as `Math.random`. Default `Math.random`. */
  random?: () => number;
}

/**
 * Milliseconds to wait before repetition `attempt` (0, 1, …): doubles each time. Half of it is left to chance, so that
 * many who were interrupted at once do not all come back at once.
 */
export function backoffDelay(
  attempt: number,
  { initialMs: first, maxMs: longest, minMs: atLeast = 0, random = Math.random }: BackoffOptions,
): number {
  const full = Math.min(longest, first * 2 ** Math.min(attempt, 30));
  const wait = Math.round(full * (1 - random() / 2));
  return Math.max(wait, Math.min(atLeast, longest));
}
