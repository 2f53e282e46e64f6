import type { HistoryRow } from '../../worker/views/live-views.js';
import { quantile } from '../terminal/sparkline.js';

/** How the past is cut: by the hour, or by the minute while nothing is older than one hour. */
export interface Scale {
  word: 'minute' | 'hour';
  ms: number;
}

export function scaleFor(rows: readonly HistoryRow[], now: number): Scale {
  const isRecent = rows.every((row) => now - endOf(row) < 3_600_000);
  return isRecent ? { word: 'minute', ms: 60_000 } : { word: 'hour', ms: 3_600_000 };
}

function endOf({ run }: HistoryRow): number {
  return run.finishedAt ?? run.stageSince;
}

/** A minute or an hour of the past: what finished in it, and how long half of that waited at most. */
export interface HistorySpan {
  finished: number;
  /** Milliseconds; null where nothing waited. */
  medianWaitMs: number | null;
}

/** So many spans up to now, oldest first; the last one is not over. */
export function bySpan(
  rows: readonly HistoryRow[],
  now: number,
  { ms }: Scale,
  spans: number,
): HistorySpan[] {
  const last = Math.floor(now / ms);
  const groups = Array.from({ length: spans }, (): HistoryRow[] => []);
  for (const row of rows) {
    const ago = last - Math.floor(endOf(row) / ms);
    groups[spans - 1 - Math.max(0, ago)]?.push(row);
  }
  return groups.map((group) => ({ finished: group.length, medianWaitMs: quantile(waits(group), 0.5) }));
}

/** How long runs waited in the queue, in milliseconds. */
export function waits(rows: readonly HistoryRow[]): number[] {
  return rows.flatMap(({ waitingMs }) => waitingMs ?? []);
}

/** Upper ends of the bars, in milliseconds; what is longer has a bar as well. */
const ends = [1_000, 10_000, 60_000, 600_000, 3_600_000] as const;

export interface Bar {
  label: string;
  count: number;
}

/** How many runs waited how long. */
export function waitBars(rows: readonly HistoryRow[]): Bar[] {
  const labels = ['1 s', '10 s', '1 min', '10 min', '1 h', 'longer'];
  const counts = labels.map(() => 0);
  for (const ms of waits(rows)) {
    const found = ends.findIndex((end) => ms <= end);
    const at = found === -1 ? ends.length : found;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return labels.map((label, index) => ({ label, count: counts[index] ?? 0 }));
}
