import { isNarrow } from './text.js';
import { toneColor, type Line, type Theme, type Tone } from './theme.js';

/**
 * Draws frames on a screen of its own (the terminal's alternate one), where it alone decides what stands in each cell.
 *
 * Ink lays out and takes apart every cell of a frame to find out what changed. For a screen full of rows that is nearly
 * all of the time between a key and its frame; here a line that is the same object costs nothing, and of a line that
 * changed only the cells that did are written.
 */
export interface Painter {
  /** What has to be written so that the screen shows these lines; empty where it does already. */
  frame(lines: readonly Line[]): string;
  /** The screen no longer shows what was drawn: the next frame is written whole. */
  forget(): void;
}

/** A line as it stands on the screen. */
interface Painted {
  line: Line;
  text: string;
  /** For each UTF-16 unit of `text` a letter that stands for its look. */
  looks: string;
  /** Every unit is a cell, so that the changed part of the line can be found by counting. */
  narrow: boolean;
}

const csi = '\u001B[';
/** "Synchronized output": a terminal that knows it shows the frame at once; others ignore it. */
const [begin, end] = [`${csi}?2026h`, `${csi}?2026l`];
const home = `${csi}H`;
const eraseBelow = `${csi}J`;
const eraseRight = `${csi}K`;
const nothing: Painted = { line: { spans: [] }, text: '', looks: '', narrow: true };

export function createPainter(theme: Theme): Painter {
  const looks = createLooks(theme);
  let shown: readonly Painted[] | null = null;
  return {
    frame(lines) {
      const before = shown ?? [];
      const now = lines.map((line, row) => (before[row]?.line === line ? before[row] : painted(line, looks)));
      const written: string[] = shown === null ? [home + eraseBelow] : [];
      for (let row = 0; row < Math.max(now.length, before.length); row += 1) {
        const change = changed(before[row] ?? nothing, now[row] ?? nothing, row, looks);
        if (change !== '') written.push(change);
      }
      shown = now;
      return written.length === 0 ? '' : begin + written.join('') + end;
    },
    forget() {
      shown = null;
    },
  };
}

function painted(line: Line, looks: Looks): Painted {
  const text = line.spans.map((one) => one.text).join('');
  const letters = line.spans.map((one) => looks.letter(line, one.tone).repeat(one.text.length)).join('');
  return { line, text, looks: letters, narrow: isNarrow(text) };
}

/** What turns one line of the screen into another. */
function changed(before: Painted, now: Painted, row: number, looks: Looks): string {
  if (before === now || (before.text === now.text && before.looks === now.looks)) return '';
  // Where characters are wide or combined, terminals may disagree with us about columns: the whole line is written. It is
  // erased first, because erasing after its last cell would take that cell with it.
  if (!before.narrow || !now.narrow) return at(row, 0) + eraseRight + looks.styled(now, 0, now.text.length);
  const same = (a: number, b: number): boolean =>
    before.text[a] === now.text[b] && before.looks[a] === now.looks[b];
  const [oldLength, length] = [before.text.length, now.text.length];
  let from = 0;
  while (from < Math.min(oldLength, length) && same(from, from)) from += 1;
  let to = length;
  if (oldLength === length) while (to > from && same(to - 1, to - 1)) to -= 1;
  const rest = oldLength > length ? eraseRight : '';
  return at(row, from) + looks.styled(now, from, to) + rest;
}

function at(row: number, column: number): string {
  return `${csi}${row + 1};${column + 1}H`;
}

/** How tones look on the terminal. Each look has a letter, so that two lines can be compared as texts. */
interface Looks {
  letter(line: Line, tone: Tone): string;
  /** The units from `from` to `to` with their codes. It ends without any look. */
  styled(line: Painted, from: number, to: number): string;
}

function createLooks(theme: Theme): Looks {
  const codes: string[] = [''];
  const letterOf = (code: string): string => {
    if (!codes.includes(code)) codes.push(code);
    return String.fromCodePoint(0x61 + codes.indexOf(code));
  };
  const codeOf = (letter: string): string => codes[(letter.codePointAt(0) ?? 0x61) - 0x61] ?? '';
  const byTone = new Map<Tone, string>();
  // The selected row is reversed as a whole: coloured patches in it would be hard to read.
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
      let look = codeOf('a');
      for (let start = from; start < to;) {
        const letter = line.looks[start] ?? 'a';
        let stop = start + 1;
        while (stop < to && line.looks[stop] === letter) stop += 1;
        const code = codeOf(letter);
        if (code !== look) text += code === '' ? `${csi}m` : `${csi}${look === '' ? '' : '0;'}${code}m`;
        text += line.text.slice(start, stop);
        look = code;
        start = stop;
      }
      return look === '' ? text : `${text}${csi}m`;
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
