import type { LogTail } from '../../worker/views/handle.js';
import { cleanLogLine } from '../terminal/text.js';
import { tailEnd } from './log-viewport.js';

/** A search for a text or, between slashes, for a regular expression; both ignore case. */
export interface LogSearch {
  text: string;
  expression: RegExp;
}

export interface SearchHit {
  /** Numbered like `LogPane.end`. */
  line: number;
  /** The search passed the end (or the beginning) and continued from the other side. */
  wrapped: boolean;
}

/** Matches lines that look like an error of any program. */
export const errorPattern = /\b(?:error|exception|traceback|fatal|killed|out of memory)\b/iu;

/** @returns the search, or an error message if the text is not a valid regular expression */
export function parseSearch(text: string): LogSearch | string {
  const source = /^\/(.+)\/$/u.exec(text)?.[1];
  if (source === undefined) {
    return { text, expression: new RegExp(text.replaceAll(/[\\^$.|?+*()[\]{}/]/gu, String.raw`\$&`), 'iu') };
  }
  try {
    return { text, expression: new RegExp(source, 'iu') };
  } catch {
    return `"${source}" is not a valid regular expression.`;
  }
}

/** Finds the first line, as displayed, that matches from line `start` on, and wraps around at the end. */
export function findLine(
  tail: LogTail,
  expression: RegExp,
  start: number,
  direction: 1 | -1,
): SearchHit | null {
  const { lines, lost } = tail;
  const begin = Math.min(Math.max(lost, start), tailEnd(tail) - 1);
  // a start beyond either end has already wrapped around
  const isOutside = begin !== start && start >= lost === direction > 0;
  const first = isOutside ? (direction > 0 ? 0 : lines.length - 1) : begin - lost;
  for (let step = 0; step < lines.length; step += 1) {
    const index = (first + direction * step + lines.length) % lines.length;
    if (expression.test(cleanLogLine(lines[index] ?? ''))) {
      return { line: lost + index, wrapped: isOutside || (direction > 0 ? index < first : index > first) };
    }
  }
  return null;
}
