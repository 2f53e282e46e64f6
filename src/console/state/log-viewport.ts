import type { LogTail } from '../../worker/views/handle.js';
import { formatDateTime } from '../views/format.js';
import { cleanLogLine, truncate, wrapCells } from '../terminal/text.js';

export interface LogFrame {
  width: number;
  height: number;
  wrap: boolean;
  /** Lines show when they were first seen. */
  timestamps: boolean;
  ellipsis: string;
}

/** One screen row: a log line or a part of a wrapped one. */
interface LogRow {
  line: number;
  text: string;
}

/** The rows of a log pane. Lines are numbered like `LogPane.end`. */
interface LogRows {
  rows: readonly LogRow[];
  /** The first visible line. */
  from: number;
  /** The line after the last visible one. */
  to: number;
}

/** The number of the line after the tail's last one. */
export function tailEnd(tail: LogTail): number {
  return tail.lost + tail.lines.length;
}

/** The rows of a view that ends at `end` (null: at the last line). Only visible lines are processed. */
export function logRows(tail: LogTail, end: number | null, frame: LogFrame): LogRows {
  const to = Math.min(end ?? Infinity, tailEnd(tail));
  const rows: LogRow[] = [];
  let from = to;
  while (from > tail.lost && rows.length < frame.height) {
    from -= 1;
    const line = from;
    rows.unshift(...lineRows(tail, line - tail.lost, frame).map((text) => ({ line, text })));
  }
  return { rows: rows.slice(-frame.height), from, to };
}

/** The smallest `end` that still fills the view. */
export function firstEnd(tail: LogTail, frame: LogFrame): number {
  let used = 0;
  let index = 0;
  while (index < tail.lines.length && used < frame.height) {
    used += lineRows(tail, index, frame).length;
    index += 1;
  }
  // a line that does not fit completely would push the first one out
  if (used > frame.height && index > 1) index -= 1;
  return tail.lost + index;
}

/** The `end` that shows a line: the present one if the line is visible, otherwise one that centers it. */
export function endFor(tail: LogTail, line: number, end: number | null, frame: LogFrame): number {
  const shown = logRows(tail, end, frame);
  // the topmost wrapped line may begin above the view
  if (line < shown.to && (frame.wrap ? line > shown.from : line >= shown.from)) return shown.to;
  let reached = line + 1;
  let used = lineRows(tail, line - tail.lost, frame).length;
  while (reached < tailEnd(tail)) {
    used += lineRows(tail, reached - tail.lost, frame).length;
    if (used > Math.ceil(frame.height / 2)) break;
    reached += 1;
  }
  return Math.max(reached, firstEnd(tail, frame));
}

function lineRows({ lines, times }: LogTail, index: number, frame: LogFrame): string[] {
  const at = times?.[index] ?? null;
  const stamp = !frame.timestamps ? '' : at === null ? ' '.repeat(9) : `${formatDateTime(at).slice(11)} `;
  const text = stamp + cleanLogLine(lines[index] ?? '');
  return frame.wrap ? wrapCells(text, frame.width) : [truncate(text, frame.width, frame.ellipsis)];
}
