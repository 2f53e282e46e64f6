import { open } from 'node:fs/promises';
import { systemCode } from '../../../base/errors.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, quoted, skip, warn } from '../../check-result.js';

const tailBytes = 256 * 1024;
const recentMs = 24 * 60 * 60_000;

/** Finds errors of the last day in the tail of a JSON log. */
export function judgeLog(text: string, path: string, now: number): Finding {
  const errors = text.split('\n').flatMap((line) => {
    const entry = parse(line);
    if (entry === null || entry.level < 50 || now - entry.at > recentMs) return [];
    return [`${new Date(entry.at).toISOString()} ${entry.words}`];
  });
  if (errors.length === 0) return ok(`${path}: no errors in the last 24 hours`);
  return warn(
    [`${count(errors.length, 'error')} in the last 24 hours in ${path}`, ...errors.slice(-3)],
    `grep '"level":[56]0' ${quoted(path)} | tail`,
  );
}

/** Parses a line of pino: level 50 is an error, 60 is fatal; `time` is ISO 8601. */
function parse(line: string): { level: number; at: number; words: string } | null {
  try {
    const value = JSON.parse(line) as {
      level?: unknown;
      time?: unknown;
      msg?: unknown;
      err?: { message?: unknown };
    };
    const at = Date.parse(String(value.time));
    if (typeof value.level !== 'number' || Number.isNaN(at)) return null;
    const words = [value.msg, value.err?.message].filter((part) => typeof part === 'string').join(': ');
    return { level: value.level, at, words: words.replaceAll(/\p{Cc}/gu, ' ').slice(0, 300) };
  } catch {
    return null;
  }
}

export const lastErrors: Check = {
  id: 'worker.last-errors',
  group: 'worker',
  title: 'last errors',
  async run({ settings, clock }) {
    const path = settings.log.file;
    if (path === null)
      return skip('log.file is not set: the log goes to standard error (see journalctl --user)');
    try {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        const start = Math.max(0, size - tailBytes);
        const buffer = Buffer.alloc(size - start);
        await file.read(buffer, 0, buffer.length, start);
        return judgeLog(buffer.toString('utf8'), path, clock.now());
      } finally {
        await file.close();
      }
    } catch (thrown) {
      if (systemCode(thrown) === 'ENOENT') return ok(`${path} does not exist yet`);
      throw thrown;
    }
  },
};
