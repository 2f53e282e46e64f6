import type { RunProgress } from '../run-state/run.js';

/**
 * The progress tags that a Slicer CLI prints among its log lines (contract, section d, "CLIProgress"; source:
 * slicer_cli_web's `cli_progress.py`). They are removed from the log and become the Girder job's progress.
 *
 * Unlike the original, this keeps log text between two start blocks, does not hold back text before an open tag, ignores
 * invalid numbers, and treats a tag that is not closed within {@link maxHeld} characters as text.
 */
export interface ProgressTags {
  /** Parses the next chunk of the log. Returns the text for the log, and the latest progress if there was any. */
  push(text: string): { text: string; progress: RunProgress | null };
  /** Returns the text that is still held back at the end of the log. */
  end(): string;
  /** The text that is currently held back. */
  held(): string;
}

const maxHeld = 64 * 1024;
const opening = '<filter-';
/** Elements that are removed with their content, and elements that contain one value. */
const blocks = ['start', 'end'];
const values = ['progress', 'name', 'comment', 'time', 'stage-progress'];
const element = /^<filter-([a-z-]{1,20})>/;

export function createProgressTags(): ProgressTags {
  let held = '';
  let name: string | null = null;
  let comment: string | null = null;
  /** White space after a removed element is removed as well, even if it is in the next chunk. */
  let trimNext = false;

  /** Reads the values in markup; the last one of each element counts. */
  function readValues(markup: string): RunProgress | null {
    name = lastValue(markup, 'name') ?? name;
    comment = lastValue(markup, 'comment') ?? comment;
    const value = lastValue(markup, 'progress');
    const current = value === null || value === '' ? Number.NaN : Number(value);
    if (!Number.isFinite(current)) return null;
    return { total: 1, current, message: comment ?? name ?? 'Unknown' };
  }

  function keep(text: string, out: string[]): void {
    const kept = trimNext ? text.trimStart() : text;
    if (kept === '') return;
    trimNext = false;
    out.push(kept);
  }

  return {
    push(text) {
      let rest = held + text;
      held = '';
      let progress: RunProgress | null = null;
      const out: string[] = [];
      while (rest !== '') {
        const start = startOfTag(rest);
        keep(rest.slice(0, start), out);
        rest = rest.slice(start);
        if (rest === '') break;
        const length = elementLength(rest);
        if (length === 'unfinished' && rest.length <= maxHeld) {
          held = rest;
          break;
        }
        if (typeof length !== 'number') {
          // another element, or never closed: plain text
          keep(rest.slice(0, 1), out);
          rest = rest.slice(1);
          continue;
        }
        progress = readValues(rest.slice(0, length)) ?? progress;
        rest = rest.slice(length);
        trimNext = true;
      }
      return { text: out.join(''), progress };
    },
    end() {
      const text = held;
      held = '';
      return text;
    },
    held: () => held,
  };
}

/** Index of the first tag, or of what may become one with the next chunk; the length of the text if there is none. */
function startOfTag(text: string): number {
  const whole = text.indexOf(opening);
  if (whole >= 0) return whole;
  const tail = text.lastIndexOf('<');
  return tail >= 0 && opening.startsWith(text.slice(tail)) ? tail : text.length;
}

/** How many characters the element at the start of `text` takes. */
function elementLength(text: string): number | 'unfinished' | 'other' {
  const match = element.exec(text);
  if (match === null)
    return text.length < opening.length + 21 && !text.includes('>') ? 'unfinished' : 'other';
  const tag = match[1] ?? '';
  if (!blocks.includes(tag) && !values.includes(tag)) return 'other';
  const close = `</filter-${tag}>`;
  // limited to the maximum length of a tag, so that a log full of opening tags does not cost quadratic time
  const at = text.slice(0, maxHeld + close.length).indexOf(close, match[0].length);
  if (blocks.includes(tag)) return at < 0 ? 'unfinished' : at + close.length;
  const content = at < 0 ? text.slice(match[0].length) : text.slice(match[0].length, at);
  const markup = content.indexOf('<');
  // a value contains no markup, unless it is the incomplete closing tag
  if (at < 0) return markup < 0 || close.startsWith(content.slice(markup)) ? 'unfinished' : 'other';
  return markup < 0 ? at + close.length : 'other';
}

function lastValue(markup: string, tag: string): string | null {
  const close = `</filter-${tag}>`;
  const end = markup.lastIndexOf(close);
  if (end < 0) return null;
  const open = `<filter-${tag}>`;
  const start = markup.lastIndexOf(open, end);
  if (start < 0) return null;
  const value = markup.slice(start + open.length, end);
  if (value.includes('<')) return null;
  return value.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').trim();
}
