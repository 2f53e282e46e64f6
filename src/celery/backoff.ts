export interface BackoffOptions {
  /** Milliseconds before the first repetition. */
  first: number;
  /** Never longer than this. */
  longest: number;
  /** 0 to 1, as `Math.random`. Default `Math.random`. */
  random?: () => number;
}

/** Milliseconds to wait before repetition `attempt` (0, 1, …): doubles each time, and is cut by up to a quarter at random. */
export function backoffDelay(
  attempt: number,
  { first, longest, random = Math.random }: BackoffOptions,
): number {
  const full = Math.min(longest, first * 2 ** Math.min(attempt, 30));
  return Math.round(full * (1 - random() / 4));
}
