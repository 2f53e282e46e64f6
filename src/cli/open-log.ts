import { dirname } from 'node:path';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { createLog, type Log } from '../base/log.js';
import { makeDirectory } from '../base/make-directory.js';

/** Opens the log of a command. @throws DsaSlurmError `files` if it cannot be written */
export async function openLog(level: string, destination: string | 2): Promise<Log> {
  try {
    if (typeof destination === 'string') await makeDirectory(dirname(destination), 0o700);
    return createLog({ level, destination });
  } catch (thrown) {
    throw new DsaSlurmError('files', `The log ${destination} cannot be written: ${errorLine(thrown)}.`, {
      next: 'Choose another file: --log-file <path>',
      cause: thrown,
    });
  }
}
