import { dirname } from 'node:path';

import { systemCode } from '../errors.js';
import { mkdir, stat } from './network-fs.js';

/**
 * Creates a directory and its missing parents.
 *
 * Does not use `mkdir(…, { recursive: true })`: on a file system that always returns ENOENT, such as `/proc`, Node 24 retries
 * forever, and a mistyped setting must not hang the program.
 * @param path absolute
 * @returns whether it was missing
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') {
      await mustBeDirectory(path, error);
      return false;
    }
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    await makeDirectory(parent, mode);
    try {
      await mkdir(path, { mode });
      return true;
    } catch (again) {
      if (systemCode(again) !== 'EEXIST') throw again;
      return false;
    }
  }
}

async function mustBeDirectory(path: string, error: unknown): Promise<void> {
  if (!(await stat(path)).isDirectory()) throw error;
}
