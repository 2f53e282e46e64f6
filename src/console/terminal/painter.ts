import { isNarrow } from './text.js';
import { toneColor, type Line, type Theme, type Tone } from './theme.js';

/**
 * Draws frames on the alternate screen, which it must own exclusively.
 *
 * Ink lays out every cell of a frame to find changes, which takes most of the time between a key and its frame. Here, a line
 * that is the same object costs nothing, and of a changed line only the changed cells are written.
 */
interface Painter {
  /** The output that makes the screen show these lines; empty if it does already. */
  frame(lines: readonly Line[]): string;
  /** Draws the next frame completely, because the content of the screen is unknown. */
  invalidate(): void;
}

/** A line on the screen. */
interface PaintedLine {
  line: Line;
  text: string;
  /** One letter per UTF-16 unit of `text` that encodes its style. */
  styles: string;
  /** Every UTF-16 unit is one cell, so columns can be computed by counting. */
  narrow: boolean;
}

const csi = '\u001B[';
/** Synchronized output (mode 2026): the terminal shows the frame at once; others ignore it. */
const [begin, end] = [`${csi}?2026h`, `${csi}?2026l`];
const home = `${csi}H`;
const eraseBelow = `${csi}J`;
const eraseRight = `${csi}K`;
const nothing: PaintedLine = { line: { spans: [] }, text: '', styles: '', narrow: true };

export function createPainter(theme: Theme): Painter {
  const styles = createStyles(theme);
  let shown: readonly PaintedLine[] | null = null;
  return {
    frame(lines) {
      const before = shown ?? [];
      const now = lines.map((line, row) =>
        before[row]?.line === line ? before[row] : paintLine(line, styles),
      );
      const written: string[] = shown === null ? [home + eraseBelow] : [];
      for (let row = 0; row < Math.max(now.length, before.length); row += 1) {
        const change = lineUpdate(before[row] ?? nothing, now[row] ?? nothing, row, styles);
        if (change !== '') written.push(change);
      }
      shown = now;
      return written.length === 0 ? '' : begin + written.join('') + end;
    },
    invalidate() {
      shown = null;
    },
  };
}

function paintLine(line: Line, styles: Styles): PaintedLine {
  const text = line.spans.map((one) => one.text).join('');
  const letters = line.spans.map((one) => styles.letter(line, one.tone).repeat(one.text.length)).join('');
  return { line, text, styles: letters, narrow: isNarrow(text) };
}

/** The output that turns one line into another. */
function lineUpdate(before: PaintedLine, now: PaintedLine, row: number, styles: Styles): string {
  if (before === now || (before.text === now.text && before.styles === now.styles)) return '';
  // terminals disagree about the width of wide and combined characters, so such lines are written completely; they are erased
  // first, because erasing after the last cell would remove that cell
  if (!before.narrow || !now.narrow) return at(row, 0) + eraseRight + styles.styled(now, 0, now.text.length);
  const same = (a: number, b: number): boolean =>
    before.text[a] === now.text[b] && before.styles[a] === now.styles[b];
  const [oldLength, length] = [before.text.length, now.text.length];
  let from = 0;
  while (from < Math.min(oldLength, length) && same(from, from)) from += 1;
  let to = length;
  if (oldLength === length) while (to > from && same(to - 1, to - 1)) to -= 1;
  const rest = oldLength > length ? eraseRight : '';
  return at(row, from) + styles.styled(now, from, to) + rest;
}

function at(row: number, column: number): string {
  return `${csi}${row + 1};${column + 1}H`;
}

/** SGR codes of tones. Each has a letter, so that the styles of two lines can be compared as strings. */
interface Styles {
  letter(line: Line, tone: Tone): string;
  /** The text from `from` to `to` with its codes. Resets the style at the end. */
  styled(line: PaintedLine, from: number, to: number): string;
}

function createStyles(theme: Theme): Styles {
  const codes: string[] = [''];
  const letterOf = (code: string): string => {
    if (!codes.includes(code)) codes.push(code);
    return String.fromCodePoint(0x61 + codes.indexOf(code));
  };
  const codeOf = (letter: string): string => codes[(letter.codePointAt(0) ?? 0x61) - 0x61] ?? '';
  const byTone = new Map<Tone, string>();
  // inverse without tones: colored patches would be hard to read
  const selected = letterOf('1;7');
  return {
    letter(line, tone) {
      if (line.selected === true) return selected;
      const known = byTone.get(tone);
      if (known !== undefined) return known;
      const letter = letterOf(toneCode(tone, theme));
      byTone.set(tone, letter);
      return letter;
    },
    styled(line, from, to) {
      let text = '';
      let style = codeOf('a');
      for (let start = from; start < to;) {
        const letter = line.styles[start] ?? 'a';
        let stop = start + 1;
        while (stop < to && line.styles[stop] === letter) stop += 1;
        const code = codeOf(letter);
        if (code !== style) text += code === '' ? `${csi}m` : `${csi}${style === '' ? '' : '0;'}${code}m`;
        text += line.text.slice(start, stop);
        style = code;
        start = stop;
      }
      return style === '' ? text : `${text}${csi}m`;
    },
  };
}

const colorCodes: Readonly<Record<string, string>> = {
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  cyan: '36',
};

/** The parameters of SGR (ECMA-48, 8.3.117) for a tone. */
function toneCode(tone: Tone, theme: Theme): string {
  const color = theme.color ? toneColor(tone) : undefined;
  return [
    tone === 'strong' || tone === 'accent' || tone === 'bad' ? '1' : '',
    tone === 'muted' ? '2' : '',
    color === undefined ? '' : (colorCodes[color] ?? ''),
  ]
    .filter(Boolean)
    .join(';');
}
