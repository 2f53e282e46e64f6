import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DsaSlurmError, systemCode } from '../../base/errors.js';

/**
 * Writes an export into the current directory, or where its name says; for its owner only. Nothing is ever overwritten.
 * @throws DsaSlurmError `files`
 */
export async function saveExport(name: string, text: string): Promise<string> {
  const path = resolve(name);
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return path;
  } catch (cause) {
    const why = systemCode(cause) === 'EEXIST' ? 'it exists already' : (systemCode(cause) ?? 'unknown');
    throw new DsaSlurmError('files', `${path} could not be written: ${why}.`, { cause });
  }
}
