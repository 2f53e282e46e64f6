import type { HistoryRow } from '../../worker/views/live-views.js';
import { quantile } from '../terminal/sparkline.js';

/** Length of a period: an hour, or a minute if no run is older than an hour. */
interface PeriodScale {
  unit: 'minute' | 'hour';
  ms: number;
}

export function scaleFor(rows: readonly HistoryRow[], now: number): PeriodScale {
  const isRecent = rows.every((row) => now - endOf(row) < 3_600_000);
  return isRecent ? { unit: 'minute', ms: 60_000 } : { unit: 'hour', ms: 3_600_000 };
}

function endOf({ run }: HistoryRow): number {
  return run.finishedAt ?? run.stageSince;
}

interface HistoryPeriod {
  finished: number;
  /** Median time in the queue; null without any. */
  medianWaitMs: number | null;
}

/** The last `count` periods, oldest first; the last one is still running. */
export function groupByPeriod(
  rows: readonly HistoryRow[],
  now: number,
  { ms }: PeriodScale,
  count: number,
): HistoryPeriod[] {
  const last = Math.floor(now / ms);
  const groups = Array.from({ length: count }, (): HistoryRow[] => []);
  for (const row of rows) {
    const ago = last - Math.floor(endOf(row) / ms);
    groups[count - 1 - Math.max(0, ago)]?.push(row);
  }
  return groups.map((group) => ({ finished: group.length, medianWaitMs: quantile(waitTimes(group), 0.5) }));
}

/** Times in the queue in milliseconds. */
export function waitTimes(rows: readonly HistoryRow[]): number[] {
  return rows.flatMap(({ waitingMs }) => waitingMs ?? []);
}

/** Upper bounds of the histogram bars in milliseconds; a last bar holds longer times. */
const bounds = [1_000, 10_000, 60_000, 600_000, 3_600_000] as const;

interface Bar {
  label: string;
  count: number;
}

/** A histogram of queue times. */
export function waitBars(rows: readonly HistoryRow[]): Bar[] {
  const labels = ['1s', '10s', '1m', '10m', '1h', 'longer'];
  const counts = labels.map(() => 0);
  for (const ms of waitTimes(rows)) {
    const found = bounds.findIndex((bound) => ms <= bound);
    const at = found === -1 ? bounds.length : found;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return labels.map((label, index) => ({ label, count: counts[index] ?? 0 }));
}
