import { dirname } from 'node:path';

import { systemCode } from './errors.js';
import { mkdir, stat } from './shared-files.js';

/**
 * Makes a directory and the ones above it, where they are missing.
 *
 * Not `mkdir(…, { recursive: true })`: below a file system that answers ENOENT whatever is there (`/proc` does), Node 24
 * tries for ever, and a mistyped setting must not hang a program.
 * @param path absolute
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return mustBeDirectory(path, error);
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    await makeDirectory(parent, mode);
    await mkdir(path, { mode }).catch((again: unknown) => {
      if (systemCode(again) !== 'EEXIST') throw again;
    });
  }
}

async function mustBeDirectory(path: string, error: unknown): Promise<void> {
  if (!(await stat(path)).isDirectory()) throw error;
}
