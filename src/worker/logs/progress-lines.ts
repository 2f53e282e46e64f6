import type { RunProgress } from '../run-state/run.js';

/** A line longer than this is no progress. */
const longestLine = 64 * 1024;
const longestMessage = 1_000;

/**
 * Reads what a program writes to its progress pipe (contract, section d, `ProgressPipe`): one JSON object a line, each key of
 * it optional. Bad lines are ignored, and so is a last line without its end. What a line leaves out stays as it was.
 */
export function createProgressLines(): { push(bytes: Uint8Array): RunProgress | null; restart(): void } {
  let decoder = new TextDecoder();
  let open = '';
  let tooLong = false;
  let known: RunProgress = { total: null, current: null, message: null };

  return {
    push(bytes) {
      const lines = (open + decoder.decode(bytes, { stream: true })).split('\n');
      open = lines.pop() ?? '';
      let changed = false;
      for (const line of lines) {
        const said = tooLong ? null : readLine(line);
        tooLong = false;
        if (said === null) continue;
        known = { ...known, ...said };
        changed = true;
      }
      if (open.length > longestLine) {
        open = '';
        tooLong = true;
      }
      return changed ? known : null;
    },
    restart() {
      decoder = new TextDecoder();
      open = '';
      tooLong = false;
    },
  };
}

function readLine(line: string): Partial<RunProgress> | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const said: { total?: number; current?: number; message?: string } = {};
  if ('total' in value && typeof value.total === 'number') said.total = value.total;
  if ('current' in value && typeof value.current === 'number') said.current = value.current;
  if ('message' in value && typeof value.message === 'string') {
    said.message = value.message.slice(0, longestMessage).toWellFormed();
  }
  return Object.keys(said).length === 0 ? null : said;
}
