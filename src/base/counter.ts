import type { Clock } from './clock.js';

/** How often something happened lately, in spans of equal length. */
export interface Counter {
  add(): void;
  /** Counts of the spans, oldest first; the last one is not over yet. */
  series(): number[];
  /** The sum over all of them. */
  sum(): number;
}

/** @param spanMs length of a span in milliseconds; so many `spans` are remembered */
export function createCounter(clock: Clock, spanMs: number, spans: number): Counter {
  const counts = new Map<number, number>();
  const current = (): number => Math.floor(clock.monotonic() / spanMs);
  const series = (): number[] => {
    const last = current();
    return Array.from({ length: spans }, (_, index) => counts.get(last - spans + 1 + index) ?? 0);
  };
  return {
    add() {
      const span = current();
      counts.set(span, (counts.get(span) ?? 0) + 1);
      for (const old of counts.keys()) if (old <= span - spans) counts.delete(old);
    },
    series,
    sum: () => series().reduce((sum, count) => sum + count, 0),
  };
}
