import { cellWidth, truncate } from './text.js';
import { span, type Line, type Span, type Theme } from './theme.js';

/** Puts `left` and `right` at the edges. Without enough room, `right` is dropped and `left` is cut. */
export function justify(left: readonly Span[], right: readonly Span[], width: number, theme: Theme): Line {
  const rightWidth = spansWidth(right);
  const leftWidth = spansWidth(left);
  if (right.length > 0 && leftWidth + rightWidth + 3 <= width) {
    const gap = width - leftWidth - rightWidth - 1;
    return { spans: [...left, span(' '.repeat(gap)), ...right] };
  }
  return { spans: clip(left, width, theme) };
}

/** Merges spans of equal tone, because each span has a cost for the terminal and for Ink. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const pieces: Span[] = [];
  for (const one of spans) {
    const last = pieces.at(-1);
    // the tone of a blank is invisible
    const isMergeable = last !== undefined && (last.tone === one.tone || one.text.trim() === '');
    if (isMergeable) pieces[pieces.length - 1] = span(last.text + one.text, last.tone);
    else pieces.push(one);
  }
  return pieces;
}

/** Total width in cells. */
export function spansWidth(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + cellWidth(text), 0);
}

/** Cuts spans to at most `width` cells. */
export function clip(spans: readonly Span[], width: number, { glyphs }: Theme): Span[] {
  const kept: Span[] = [];
  let room = width;
  for (const one of spans) {
    if (room <= 0) break;
    const text = truncate(one.text, room, glyphs.ellipsis);
    kept.push({ ...one, text });
    // one ellipsis is enough
    if (text !== one.text) break;
    room -= cellWidth(text);
  }
  return kept;
}
