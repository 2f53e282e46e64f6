import type { LogTail } from '../views/handle.js';
import { createProgressTags } from './progress-tags.js';

/** Maximum number of lines. */
const maxLines = 2_000;
/** Longer lines are truncated, so that memory stays bounded for a log without line breaks, too. */
const maxLineLength = 4_096;

/** Collects the last lines of a log from its bytes. */
export interface LastLines {
  /**
   * Discards all lines, to start reading at another position.
   * @param options.inMiddle the position may be in the middle of a line
   * @param options.isSameLog a part of the same log was skipped, so line numbers continue
   */
  begin(options: { inMiddle: boolean; isSameLog: boolean }): void;
  /** @param at when these bytes were appended; null if they were there before */
  push(bytes: Buffer, at: number | null): void;
  view(): Pick<LogTail, 'lines' | 'lost' | 'times'>;
}

export function createLastLines(): LastLines {
  let lines: string[] = [];
  let times: (number | null)[] = [];
  let lost = 0;
  /** The unfinished line, and when it last grew. */
  let open = '';
  let openAt: number | null = null;
  let skipsLine = false;
  let decoder = new TextDecoder();
  // removed from the lines, because the progress bar shows them
  let tags = createProgressTags();

  return {
    begin({ inMiddle, isSameLog }) {
      lost = isSameLog ? lost + lines.length : 0;
      lines = [];
      times = [];
      open = '';
      skipsLine = inMiddle;
      decoder = new TextDecoder();
      tags = createProgressTags();
    },
    push(bytes, at) {
      const parts = (open + tags.push(decoder.decode(bytes, { stream: true })).text).split('\n');
      open = (parts.pop() ?? '').slice(-maxLineLength);
      openAt = at;
      if (skipsLine && parts.length > 0) {
        parts.shift();
        skipsLine = false;
      }
      for (const part of parts) {
        lines.push(part.slice(0, maxLineLength));
        times.push(at);
      }
      const excess = lines.length - maxLines;
      if (excess <= 0) return;
      lost += excess;
      lines = lines.slice(excess);
      times = times.slice(excess);
    },
    view: () =>
      open === ''
        ? { lines: [...lines], lost, times: [...times] }
        : { lines: [...lines, open], lost, times: [...times, openAt] },
  };
}
