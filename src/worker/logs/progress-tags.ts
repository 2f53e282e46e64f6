import type { RunProgress } from '../run-state/run.js';

/**
 * The progress tags that a Slicer CLI prints among its log lines (contract, section d, "CLIProgress"; source:
 * slicer_cli_web's `cli_progress.py`). They are taken out of the log and turned into the Girder job's progress.
 *
 * Unlike the original: log text between two start blocks stays, text before an open tag is not held back, a number that is
 * none is ignored, and a tag that never closes is let go after {@link heldAtMost} characters.
 */
export interface ProgressTags {
  /** Takes the next piece of the log; gives back what belongs in the log, and the newest progress if there was one. */
  push(text: string): { text: string; progress: RunProgress | null };
  /** What was held back at the end of the log. */
  end(): string;
  /** Characters that are held back at present, as text. */
  held(): string;
}

const heldAtMost = 64 * 1024;
const opening = '<filter-';
/** Elements whose whole content goes, and elements that hold one value. */
const blocks = ['start', 'end'];
const values = ['progress', 'name', 'comment', 'time', 'stage-progress'];
const element = /^<filter-([a-z-]{1,20})>/;

export function createProgressTags(): ProgressTags {
  let held = '';
  let name: string | null = null;
  let comment: string | null = null;
  /** White space that follows a removed element belongs to it, also when it comes with the next piece. */
  let trimNext = false;

  /** Reads the values inside a piece of markup; the last of each counts. */
  function learn(markup: string): RunProgress | null {
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
        if (length === 'unfinished' && rest.length <= heldAtMost) {
          held = rest;
          break;
        }
        if (typeof length !== 'number') {
          // not one of ours, or never closed: plain text after all
          keep(rest.slice(0, 1), out);
          rest = rest.slice(1);
          continue;
        }
        progress = learn(rest.slice(0, length)) ?? progress;
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

/** Where the first tag, or what may become one with the next piece, begins; the length if nowhere. */
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
  // no further than a tag may be long: a log full of openings must not cost a search of the whole piece for each
  const at = text.slice(0, heldAtMost + close.length).indexOf(close, match[0].length);
  if (blocks.includes(tag)) return at < 0 ? 'unfinished' : at + close.length;
  const content = at < 0 ? text.slice(match[0].length) : text.slice(match[0].length, at);
  const markup = content.indexOf('<');
  // a value holds no markup, unless what looks like it is the closing tag still on its way
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
