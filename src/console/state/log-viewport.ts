import type { LogTail } from '../../worker/views/handle.js';
import { clockText } from '../views/format.js';
import { cleanLogLine, truncate, wrapCells } from '../terminal/text.js';

export interface LogFrame {
  width: number;
  height: number;
  wrap: boolean;
  /** With the time at which each line was seen to come. */
  stamps: boolean;
  ellipsis: string;
}

/** One row of the screen, and the line that it shows (or a part of it). */
export interface LogRow {
  line: number;
  text: string;
}

/** The rows of a log pane, with the lines that they come from (numbered as in `LogPane.end`). */
export interface LogRows {
  rows: readonly LogRow[];
  /** First line shown. */
  from: number;
  /** The line after the last one shown. */
  to: number;
}

/** Where the tail ends: the number of the line after its last one. */
export function tailEnd(tail: LogTail): number {
  return tail.lost + tail.lines.length;
}

/** What is shown of a tail when the view ends at `end` (null: at its last line). Only lines on screen are looked at. */
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

/** The end at which the first line of the tail is just at the top. */
export function firstEnd(tail: LogTail, frame: LogFrame): number {
  let used = 0;
  let index = 0;
  while (index < tail.lines.length && used < frame.height) {
    used += lineRows(tail, index, frame).length;
    index += 1;
  }
  // A line that did not fit whole would push the first one out.
  if (used > frame.height && index > 1) index -= 1;
  return tail.lost + index;
}

/** The end that brings a line into view: the present one where it shows the line already, else the line in the middle. */
export function endFor(tail: LogTail, line: number, end: number | null, frame: LogFrame): number {
  const shown = logRows(tail, end, frame);
  // Of the topmost line the beginning may be out of sight while lines are wrapped.
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
  const stamp = !frame.stamps ? '' : at === null ? ' '.repeat(9) : `${clockText(at).slice(11)} `;
  const text = stamp + cleanLogLine(lines[index] ?? '');
  return frame.wrap ? wrapCells(text, frame.width) : [truncate(text, frame.width, frame.ellipsis)];
}
