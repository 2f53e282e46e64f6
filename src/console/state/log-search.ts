import type { LogTail } from '../../worker/views/handle.js';
import { tailEnd } from './log-viewport.js';
import { cleanLogLine } from '../terminal/text.js';

/** What is searched for in a log: a text, or between slashes a regular expression, both whatever the case. */
export interface LogSearch {
  text: string;
  expression: RegExp;
}

/** A line that was found, numbered as in `LogPane.end`. */
export interface Found {
  line: number;
  /** The end (or the beginning) was passed on the way. */
  wrapped: boolean;
}

/** Lines that look as if something went wrong, whichever program wrote them. */
export const errorWords = /\b(?:error|exception|traceback|fatal|killed|out of memory)\b/iu;

/** Reads what was typed; a sentence where that is no regular expression. */
export function readSearch(text: string): LogSearch | string {
  const source = /^\/(.+)\/$/u.exec(text)?.[1];
  if (source === undefined) {
    return { text, expression: new RegExp(text.replaceAll(/[\\^$.|?+*()[\]{}/]/gu, String.raw`\$&`), 'iu') };
  }
  try {
    return { text, expression: new RegExp(source, 'iu') };
  } catch {
    return `"${source}" is no regular expression.`;
  }
}

/** The first line that matches, as it would be shown, from line `start` on in a direction, round the end if need be. */
export function findLine(tail: LogTail, expression: RegExp, start: number, direction: 1 | -1): Found | null {
  const { lines, lost } = tail;
  const begin = Math.min(Math.max(lost, start), tailEnd(tail) - 1);
  // A start beyond either end has come round already.
  const outside = begin !== start && start >= lost === direction > 0;
  const first = outside ? (direction > 0 ? 0 : lines.length - 1) : begin - lost;
  for (let step = 0; step < lines.length; step += 1) {
    const index = (first + direction * step + lines.length) % lines.length;
    if (expression.test(cleanLogLine(lines[index] ?? ''))) {
      return { line: lost + index, wrapped: outside || (direction > 0 ? index < first : index > first) };
    }
  }
  return null;
}
