import { constants } from 'node:fs';

import { DsaSlurmError, coerceError } from '../base/errors.js';
import { makeDirectory } from '../base/make-directory.js';
import { access } from '../base/shared-files.js';
import type { Settings } from '../config/index.js';

/**
 * Sees to it that the directories without which every run would fail are there: better no worker than one that takes
 * tasks in only to fail them.
 * @throws DsaSlurmError `config` with everything that is wrong
 */
export async function prepareDirectories({ dirs, worker }: Settings): Promise<void> {
  const problems: string[] = [];
  const need = async (
    key: string,
    legacyName: string,
    path: string | null,
    prepare: (path: string) => Promise<unknown>,
  ): Promise<void> => {
    if (path === null) {
      problems.push(`${key} (${legacyName}) is not set`);
      return;
    }
    try {
      await prepare(path);
    } catch (error) {
      problems.push(`${key} (${legacyName}) cannot be used: ${coerceError(error).message}`);
    }
  };
  await need('dirs.tmp', 'TMP', dirs.tmp, writable);
  await need('dirs.logs', 'LOGS', dirs.logs, writable);
  await need('dirs.images', 'SIF_IMAGE_PATH', dirs.images, async (path) =>
    access(path, constants.R_OK | constants.X_OK),
  );
  if (problems.length === 0) return;
  throw new DsaSlurmError('config', `The worker cannot start: ${problems.join('; ')}.`, {
    next: `Set directories ${worker.executor === 'local' ? 'of this host' : 'that login and compute nodes share'}, by 'dsa-slurm config set <key> <directory>' or by the environment.`,
  });
}

async function writable(path: string): Promise<void> {
  await makeDirectory(path, 0o700);
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
}
