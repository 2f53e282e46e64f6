import { fstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { createLog, type Log } from '../base/log.js';
import { makeDirectory } from '../base/files/make-directory.js';
import type { Settings } from '../config/schema.js';

/**
 * Opens the log of a command.
 * @param destination a file, or standard error
 * @throws DsaSlurmError `files` if it cannot be written
 */
export async function openLog(
  { level, maxMegabytes, keepFiles }: Settings['log'],
  destination: string | 2,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Log> {
  try {
    if (typeof destination === 'string') await makeDirectory(dirname(destination), 0o700);
    return createLog({
      level,
      destination,
      rotation: { maxBytes: maxMegabytes * 1_000_000, keep: keepFiles },
      priorities: destination === 2 && isJournal(env['JOURNAL_STREAM']),
    });
  } catch (thrown) {
    throw new DsaSlurmError('files', `The log ${destination} cannot be written: ${errorLine(thrown)}.`, {
      next: 'Choose another file: --log-file <path>',
      cause: thrown,
    });
  }
}

/**
 * Whether standard error is systemd's journal: `JOURNAL_STREAM` is its device and inode, see systemd.exec(5). A child whose
 * standard error was redirected inherits the variable, too.
 */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
