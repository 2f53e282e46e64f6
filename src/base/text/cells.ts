import stringWidth from 'string-width';

import { segmenter } from './segmenter.js';

/** Latin letters and the console's own symbols: one cell and one UTF-16 unit each. */
const narrow = /^[ -~\u00A1-\u00AC\u00AE-\u02AF…›─-╿▀-▟●○◐▲▸▴▾◆◈✔✘⊘]*$/u;

/** Whether each UTF-16 unit of a clean text takes one cell. */
export function isNarrow(text: string): boolean {
  // most texts are ASCII, for which a loop is several times faster than the regular expression
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return narrow.test(text);
  }
  return true;
}

/** Width of a clean text in cells. */
export function cellWidth(text: string): number {
  return isNarrow(text) ? text.length : stringWidth(text);
}

/** The longest prefix of a clean text within `width` cells. */
export function cut(text: string, width: number): string {
  if (isNarrow(text)) return text.slice(0, width);
  let used = 0;
  let end = 0;
  for (const { segment, index } of segmenter.segment(text)) {
    used += cellWidth(segment);
    if (used > width) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

/** A clean text in at most `width` cells. @param ellipsis one cell that replaces the cut part */
export function truncate(text: string, width: number, ellipsis = '…'): string {
  if (width <= 0) return '';
  if (text.length <= width && isNarrow(text)) return text;
  // a long text is cut roughly before the expensive measurement
  const near = text.slice(0, width * 8);
  if (near === text && cellWidth(text) <= width) return text;
  return cut(near, width - 1).trimEnd() + ellipsis;
}

function firstCharacter(text: string): string {
  const [first = ''] = text;
  return first;
}

/** Breaks a clean text into lines of at most `width` cells, also within words. */
export function wrapCells(text: string, width: number): string[] {
  if (width <= 0) return [];
  const lines: string[] = [];
  let rest = text;
  do {
    // a grapheme cluster that is wider than a line is split
    const line = cut(rest, width) || firstCharacter(rest);
    lines.push(line);
    rest = rest.slice(line.length);
  } while (rest !== '');
  return lines;
}

/** Signs after which a path, an address or an option can be broken. */
const joints = /[/\\\-_.,:;=&?#]$/u;

/** Breaks a word that is longer than a line, after a sign that separates its parts if one is near. */
function wrapLongWord(word: string, width: number): string[] {
  const lines: string[] = [];
  let rest = word;
  while (cellWidth(rest) > width) {
    const [piece = ''] = wrapCells(rest, width);
    let end = piece.length;
    while (end > piece.length / 2 && !joints.test(piece.slice(0, end))) end -= 1;
    const line = end > piece.length / 2 ? piece.slice(0, end) : piece;
    lines.push(line);
    rest = rest.slice(line.length);
  }
  return rest === '' ? lines : [...lines, rest];
}

/** Breaks a clean text into lines of at most `width` cells, at spaces if possible. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (cellWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = width > 0 ? wrapLongWord(word, width) : [];
    line = pieces.pop() ?? '';
    lines.push(...pieces);
  }
  return line === '' ? lines : [...lines, line];
}
