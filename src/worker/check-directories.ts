import { access, constants, mkdir } from 'node:fs/promises';

import { DsaSlurmError, systemCode } from '../base/errors.js';
import type { Settings } from '../config/schema.js';

/**
 * Makes the directories that the worker writes to where they are missing. A mistake in one of them is told at the
 * start, and not by the failure of every task in the queue.
 * @throws DsaSlurmError `files` that names the directory and its setting.
 */
export async function checkDirectories({ tmp, logs }: Settings['dirs']): Promise<void> {
  await writable(tmp, 'dirs.tmp', 'TMP');
  if (logs !== null) await writable(logs, 'dirs.logs', 'LOGS');
}

async function writable(directory: string, key: string, legacyName: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = systemCode(cause) ?? 'unknown';
    throw new DsaSlurmError('files', `The directory ${directory} cannot be written (${why}).`, {
      next: `Correct ${key} (${legacyName}), or make it writable for this user.`,
      cause,
    });
  }
}
