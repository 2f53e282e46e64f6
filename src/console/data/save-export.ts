import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DsaSlurmError, systemCode } from '../../base/errors.js';

/**
 * Writes an export, readable only by its owner. Relative names refer to the current directory; existing files are kept.
 * @throws DsaSlurmError `files`
 */
export async function saveExport(name: string, text: string): Promise<string> {
  const path = resolve(name);
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return path;
  } catch (cause) {
    const reason =
      systemCode(cause) === 'EEXIST' ? 'the file already exists' : (systemCode(cause) ?? 'unknown error');
    throw new DsaSlurmError('files', `${path} could not be written: ${reason}.`, { cause });
  }
}
