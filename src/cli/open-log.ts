import { DsaSlurmError, errorLine } from '../base/errors.js';
import { createLog, type Log } from '../base/log.js';

/** The log of a command. @throws DsaSlurmError `files` if its file cannot be written. */
export function openLog(level: string, destination: string | 2): Log {
  try {
    return createLog({ level, destination });
  } catch (thrown) {
    throw new DsaSlurmError('files', `The log ${destination} cannot be written: ${errorLine(thrown)}.`, {
      next: 'Give another place: --log-file <path>',
      cause: thrown,
    });
  }
}
