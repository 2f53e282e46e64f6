import type { Clock } from './clock.js';

/** Counts recent events in time spans of equal length. */
interface Counter {
  add(): void;
  /** Counts per span, oldest first; the last span is the current one. */
  series(): number[];
  /** Sum of all spans. */
  sum(): number;
}

/**
 * @param spanMs length of a span in milliseconds
 * @param spans number of spans to keep
 */
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
