import type { LogTail } from '../worker/handle.js';
import { cleanLogLine, truncate, wrapCells } from './text.js';

export interface LogFrame {
  width: number;
  height: number;
  wrap: boolean;
  ellipsis: string;
}

/** The rows of a log pane, with the lines that they come from (numbered as in `LogPane.end`). */
export interface LogRows {
  rows: readonly string[];
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
  const rows: string[] = [];
  let from = to;
  while (from > tail.lost && rows.length < frame.height) {
    from -= 1;
    rows.unshift(...lineRows(tail.lines[from - tail.lost] ?? '', frame));
  }
  return { rows: rows.slice(-frame.height), from, to };
}

/** The end at which the first line of the tail is just at the top. */
export function firstEnd(tail: LogTail, frame: LogFrame): number {
  let used = 0;
  let index = 0;
  while (index < tail.lines.length && used < frame.height) {
    used += lineRows(tail.lines[index] ?? '', frame).length;
    index += 1;
  }
  // A line that did not fit whole would push the first one out.
  if (used > frame.height && index > 1) index -= 1;
  return tail.lost + index;
}

function lineRows(line: string, { width, wrap, ellipsis }: LogFrame): string[] {
  const text = cleanLogLine(line);
  return wrap ? wrapCells(text, width) : [truncate(text, width, ellipsis)];
}
