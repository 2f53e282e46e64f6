import { cellWidth, cut, isNarrow, truncate } from '../../base/text/cells.js';
import { segmenter } from '../../base/text/segmenter.js';

export { cellWidth, truncate, wrapCells, wrapWords } from '../../base/text/cells.js';

/**
 * Makes untrusted text (job names, titles, logs) safe for a terminal and measures it in cells.
 *
 * Terminals and width tables disagree about sequences that join several characters into one glyph. Such sequences are split,
 * so that columns stay aligned on every terminal.
 */

const esc = String.fromCodePoint(0x1b);
const bell = String.fromCodePoint(0x07);
/** C1 controls, which terminals in 8-bit mode obey: CSI, string openers and string terminator. */
const csi = String.fromCodePoint(0x9b);
const opener = String.fromCodePoint(0x90, 0x98, 0x9d, 0x9e, 0x9f);
const terminator = String.fromCodePoint(0x9c);

/** CSI sequences, OSC, DCS, SOS, PM and APC strings (also unterminated ones), and the short escapes. */
const escapes = new RegExp(
  [
    String.raw`(?:${esc}\[|${csi})[0-?]*[ -\/]*[@-~]?`,
    String.raw`(?:${esc}[PX\]^_]|[${opener}])[^${bell}${esc}${terminator}]*(?:${bell}|${esc}\\|${terminator})?`,
    String.raw`${esc}[ -\/]*[0-~]?`,
  ].join('|'),
  'gu',
);

/** Invisible characters (joiners, direction overrides, variation selectors, tags, …), skin tones and keycap frames. */
const invisible = /\p{Default_Ignorable_Code_Point}|\p{Emoji_Modifier}|\u20E3|[\uFFF9-\uFFFB]/gu;

/** Line and paragraph separators, and Hangul fillers, whose width varies between terminals. */
const blanks = /[\u2028\u2029\u115F\u1160\u3164\uFFA0]/gu;

/** Control characters that `escapes` leaves. */
const controls = /\p{Cc}/gu;

/** More than two combining marks on a character, and marks without a base character. */
const markPiles = /(?<=\p{M}{2})\p{M}+|^\p{M}+|(?<=\s)\p{M}+/gu;

const regionalIndicators = /[\u{1F1E6}-\u{1F1FF}]/gu;

const printableAscii = /^[ -~]*$/u;

/** Texts are cut here, so that hostile ones do not cost time. */
const maxLength = 4_096;

function cleaned(text: string): string {
  return text
    .slice(0, maxLength)
    .toWellFormed()
    .normalize('NFC')
    .replaceAll(escapes, '')
    .replaceAll(blanks, ' ')
    .replaceAll(invisible, '')
    .replaceAll(controls, '·')
    .replaceAll(markPiles, '')
    .replaceAll(regionalIndicators, (letter) =>
      String.fromCodePoint((letter.codePointAt(0) ?? 0) - 0x1_f1_e6 + 0x41),
    );
}

/** A single safe line: no escape sequences, line breaks and tabs as spaces, other control characters as `·`. */
export function cleanText(text: string): string {
  if (printableAscii.test(text)) return text.slice(0, maxLength);
  return cleaned(text.replaceAll(/[\t\n\v\f\r]+/gu, ' '));
}

/**
 * A line of a log: like {@link cleanText}, but with tab stops every eight cells, and only the last of several texts separated
 * by carriage returns (progress bars).
 */
export function cleanLogLine(line: string): string {
  if (printableAscii.test(line)) return line.slice(0, maxLength);
  const last = line.split(/[\r\n]+/u).findLast((part) => part !== '') ?? '';
  const [first = '', ...rest] = last.split('\t').map(cleaned);
  let text = first;
  for (const part of rest) text += ' '.repeat(8 - (cellWidth(text) % 8)) + part;
  return text;
}

/** A clean text in exactly `width` cells. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left', ellipsis = '…'): string {
  const short = truncate(text, width, ellipsis);
  const padding = ' '.repeat(Math.max(0, width - cellWidth(short)));
  return align === 'left' ? short + padding : padding + short;
}

/** The longest suffix of a clean text within `width` cells. */
function cutEnd(text: string, width: number): string {
  if (isNarrow(text)) return text.slice(text.length - width);
  const near = text.slice(-width * 8);
  let used = 0;
  let start = near.length;
  for (const { segment, index } of [...segmenter.segment(near)].reverse()) {
    used += cellWidth(segment);
    if (used > width) break;
    start = index;
  }
  return near.slice(start);
}

/**
 * A clean text in at most `width` cells, cut in the middle: titles often begin alike and end with the name of the slide, which stays
 * whole if it fits. Of a longer name, mostly the beginning stays: names of slides begin with the case.
 */
export function truncateMiddle(text: string, width: number, ellipsis = '…'): string {
  if (width < 8 || (text.length <= width * 8 && cellWidth(text) <= width))
    return truncate(text, width, ellipsis);
  const name = text.slice(text.lastIndexOf(' ') + 1);
  const nameWidth = cellWidth(name.slice(0, width * 8));
  if (name !== text && nameWidth > width - 2) {
    if (nameWidth <= width) return name;
    const tail = cutEnd(name, Math.floor((width - 1) / 3));
    return cut(name, width - 1 - cellWidth(tail)) + ellipsis + tail;
  }
  const atLeast = Math.ceil(((width - 1) * 2) / 3);
  const end = nameWidth > atLeast && name !== text ? name : withoutFragment(cutEnd(text, atLeast), text);
  return cut(text, width - 1 - cellWidth(end)).trimEnd() + ellipsis + end;
}

/** The end of a text without the last letters of a word that it begins with, and without leading spaces. */
function withoutFragment(end: string, text: string): string {
  const isWhole = text.at(-end.length - 1) === ' ';
  return isWhole ? end : end.replace(/^[!-~]{0,3} +/u, '');
}

/** {@link truncateMiddle}, in exactly `width` cells. */
export function fitMiddle(text: string, width: number, ellipsis = '…'): string {
  return fit(truncateMiddle(text, width, ellipsis), width, 'left', ellipsis);
}
