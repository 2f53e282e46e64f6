import { cellWidth, truncate } from './text.js';
import { span, type Line, type Span, type Theme } from './theme.js';

/** `left` and, where there is room for it, `right` at the other edge. Parts of `left` that do not fit are cut. */
export function spread(left: readonly Span[], right: readonly Span[], width: number, theme: Theme): Line {
  const rightWidth = spansWidth(right);
  const leftWidth = spansWidth(left);
  if (right.length > 0 && leftWidth + rightWidth + 3 <= width) {
    const blank = width - leftWidth - rightWidth - 1;
    return { spans: [...left, span(' '.repeat(blank)), ...right] };
  }
  return { spans: clip(left, width, theme) };
}

/** The same text in as few pieces as its tones allow: each piece costs the terminal and Ink something. */
export function merged(spans: readonly Span[]): Span[] {
  const pieces: Span[] = [];
  for (const one of spans) {
    const last = pieces.at(-1);
    // A blank has no tone to show.
    const joins = last !== undefined && (last.tone === one.tone || one.text.trim() === '');
    if (joins) pieces[pieces.length - 1] = span(last.text + one.text, last.tone);
    else pieces.push(one);
  }
  return pieces;
}

/** Cells that spans take. */
export function spansWidth(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + cellWidth(text), 0);
}

/** Spans in at most `width` cells. */
export function clip(spans: readonly Span[], width: number, { glyphs }: Theme): Span[] {
  const kept: Span[] = [];
  let room = width;
  for (const one of spans) {
    if (room <= 0) break;
    const text = truncate(one.text, room, glyphs.ellipsis);
    kept.push({ ...one, text });
    room -= cellWidth(text);
  }
  return kept;
}
