import stringWidth from 'string-width';

/**
 * Text from elsewhere (job names, titles, logs) made harmless for a screen, and measured in terminal cells.
 *
 * Terminals and width tables disagree about sequences that join several characters into one picture. Such sequences are
 * taken apart here, so that a column stays a column on every terminal.
 */

const esc = String.fromCodePoint(0x1b);
const bell = String.fromCodePoint(0x07);
/** The one-character forms that a terminal in 8-bit mode obeys: CSI, the openers of strings, and their end. */
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

/** Line and paragraph separators, and the Hangul fillers, whose width nobody agrees on. */
const blanks = /[\u2028\u2029\u115F\u1160\u3164\uFFA0]/gu;

/** What is left of control characters after `escapes`. */
const controls = /\p{Cc}/gu;

/** More than two marks on one character, and marks that have no character to sit on. */
const markPiles = /(?<=\p{M}{2})\p{M}+|^\p{M}+|(?<=\s)\p{M}+/gu;

const regionalIndicators = /[\u{1F1E6}-\u{1F1FF}]/gu;

const printableAscii = /^[ -~]*$/u;

/** Letters of Latin alphabets and the symbols of our own screens: one cell and one UTF-16 unit each, measured at a glance. */
const narrow = /^[ -~\u00A1-\u00AC\u00AE-\u02AF…›─━█●○◐▲▸▴▾◆◈✔✘⊘╭╮╰╯│]*$/u;

/** Making one takes longer than cutting a hundred texts with it. */
const segmenter = new Intl.Segmenter();

/** Longest piece of a text that is looked at: nobody's title needs more, and hostile ones cost no time. */
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

/** One harmless line: escape sequences gone, line breaks and tabs as spaces, other control characters as `·`. */
export function cleanText(text: string): string {
  if (printableAscii.test(text)) return text.slice(0, maxLength);
  return cleaned(text.replaceAll(/[\t\n\v\f\r]+/gu, ' '));
}

/**
 * A line of a log: as {@link cleanText}, but tabs reach the next multiple of eight, and of text that was overwritten by
 * carriage returns (progress bars) the last version stays.
 */
export function cleanLogLine(line: string): string {
  if (printableAscii.test(line)) return line.slice(0, maxLength);
  const last = line.split(/[\r\n]+/u).findLast((part) => part !== '') ?? '';
  const [first = '', ...rest] = last.split('\t').map(cleaned);
  let text = first;
  for (const part of rest) text += ' '.repeat(8 - (cellWidth(text) % 8)) + part;
  return text;
}

/** Whether each UTF-16 unit of a cleaned text takes one cell, so that cells can be counted as units. */
export function isNarrow(text: string): boolean {
  // nearly all texts are ASCII, and a loop over those is several times faster than the expression
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return narrow.test(text);
  }
  return true;
}

/** Cells that a cleaned text takes. */
export function cellWidth(text: string): number {
  return isNarrow(text) ? text.length : stringWidth(text);
}

/** The longest beginning of a cleaned text that takes at most `width` cells. */
function cut(text: string, width: number): string {
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

/** A cleaned text in at most `width` cells; what is cut off is announced by `ellipsis` (one cell). */
export function truncate(text: string, width: number, ellipsis = '…'): string {
  if (width <= 0) return '';
  if (text.length <= width && isNarrow(text)) return text;
  // A grapheme takes two cells at most and a UTF-16 unit at least none, so a long text is cut before it is measured.
  const near = text.slice(0, width * 8);
  if (near === text && cellWidth(text) <= width) return text;
  return cut(near, width - 1).trimEnd() + ellipsis;
}

/** A cleaned text in exactly `width` cells. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left', ellipsis = '…'): string {
  const short = truncate(text, width, ellipsis);
  const padding = ' '.repeat(Math.max(0, width - cellWidth(short)));
  return align === 'left' ? short + padding : padding + short;
}

/** The longest end of a cleaned text that takes at most `width` cells. */
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
 * A cleaned text in at most `width` cells, with its middle left out: for titles, which begin alike and end with what tells
 * them apart, the name of the slide.
 */
export function truncateMiddle(text: string, width: number, ellipsis = '…'): string {
  if (width < 8 || (text.length <= width * 8 && cellWidth(text) <= width))
    return truncate(text, width, ellipsis);
  const end = cutEnd(text, Math.ceil(((width - 1) * 2) / 3)).trimStart();
  return cut(text, width - 1 - cellWidth(end)).trimEnd() + ellipsis + end;
}

/** {@link truncateMiddle}, in exactly `width` cells. */
export function fitMiddle(text: string, width: number, ellipsis = '…'): string {
  return fit(truncateMiddle(text, width, ellipsis), width, 'left', ellipsis);
}

function firstCharacter(text: string): string {
  const [first = ''] = text;
  return first;
}

/** A cleaned text as lines of at most `width` cells, broken anywhere: a log line is data, not prose. */
export function wrapCells(text: string, width: number): string[] {
  if (width <= 0) return [];
  const lines: string[] = [];
  let rest = text;
  do {
    // A cluster that is wider than a whole line is taken apart.
    const line = cut(rest, width) || firstCharacter(rest);
    lines.push(line);
    rest = rest.slice(line.length);
  } while (rest !== '');
  return lines;
}

/** A cleaned sentence as lines of at most `width` cells, broken at spaces where there are any. */
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
    const pieces = wrapCells(word, width);
    line = pieces.pop() ?? '';
    lines.push(...pieces);
  }
  return line === '' ? lines : [...lines, line];
}
