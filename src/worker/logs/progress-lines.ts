import type { RunProgress } from '../run-state/run.js';

/** Longer lines are ignored. */
const maxLineLength = 64 * 1024;
const maxMessageLength = 1_000;

/**
 * Parses what a program writes to its progress pipe (contract, section d, `ProgressPipe`): one JSON object per line, with
 * optional keys. Missing keys keep their last value. Invalid lines and an unterminated last line are ignored.
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
        const update = tooLong ? null : readLine(line);
        tooLong = false;
        if (update === null) continue;
        known = { ...known, ...update };
        changed = true;
      }
      if (open.length > maxLineLength) {
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
  const update: { total?: number; current?: number; message?: string } = {};
  if ('total' in value && typeof value.total === 'number') update.total = value.total;
  if ('current' in value && typeof value.current === 'number') update.current = value.current;
  if ('message' in value && typeof value.message === 'string') {
    update.message = value.message.slice(0, maxMessageLength).toWellFormed();
  }
  return Object.keys(update).length === 0 ? null : update;
}
