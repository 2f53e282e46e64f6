import type { LogTail } from '../views/handle.js';
import { createProgressTags } from './progress-tags.js';

/** Lines that a tail holds. */
const linesKept = 2_000;
/** A line longer than this is cut, so that a log without line ends stays bounded too. */
const longestLine = 4_096;

/** The last lines of a log, put together from its bytes. */
export interface LastLines {
  /**
   * The log is read from some place on: none of what is held belongs to it.
   * @param options.inMiddle that place is in the middle of a line
   * @param options.goesOn it is still the same log, of which something was left out: line numbers go on
   */
  begin(options: { inMiddle: boolean; goesOn: boolean }): void;
  /** @param at when these bytes were seen to come; null: they were there before */
  push(bytes: Buffer, at: number | null): void;
  view(): Pick<LogTail, 'lines' | 'lost' | 'times'>;
}

export function createLastLines(): LastLines {
  let lines: string[] = [];
  let times: (number | null)[] = [];
  let lost = 0;
  /** The line that has no end yet, and when its last piece came. */
  let open = '';
  let openAt: number | null = null;
  let skips = false;
  let decoder = new TextDecoder();
  // the progress bar shows what they say
  let tags = createProgressTags();

  return {
    begin({ inMiddle, goesOn }) {
      lost = goesOn ? lost + lines.length : 0;
      lines = [];
      times = [];
      open = '';
      skips = inMiddle;
      decoder = new TextDecoder();
      tags = createProgressTags();
    },
    push(bytes, at) {
      const parts = (open + tags.push(decoder.decode(bytes, { stream: true })).text).split('\n');
      open = (parts.pop() ?? '').slice(-longestLine);
      openAt = at;
      if (skips && parts.length > 0) {
        parts.shift();
        skips = false;
      }
      for (const part of parts) {
        lines.push(part.slice(0, longestLine));
        times.push(at);
      }
      const over = lines.length - linesKept;
      if (over <= 0) return;
      lost += over;
      lines = lines.slice(over);
      times = times.slice(over);
    },
    view: () =>
      open === ''
        ? { lines: [...lines], lost, times: [...times] }
        : { lines: [...lines, open], lost, times: [...times, openAt] },
  };
}
