import { constants } from 'node:fs';

import { DsaSlurmError, coerceError } from '../../base/errors.js';
import { makeDirectory } from '../../base/make-directory.js';
import { access, stat } from '../../base/network-fs.js';
import type { Settings } from '../../config/index.js';

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
  await need('dirs.tmp', 'TMP', dirs.tmp, async (path) => {
    // in the system's own /tmp nobody can replace or remove what is ours
    if (isOpen(await writable(path)) === 'open') throw openToOthers(path);
  });
  await need('dirs.logs', 'LOGS', dirs.logs, async (path) => {
    if (isOpen(await writable(path)) !== 'closed') throw openToOthers(path);
  });
  await need('dirs.images', 'SIF_IMAGE_PATH', dirs.images, async (path) =>
    access(path, constants.R_OK | constants.X_OK),
  );
  if (problems.length === 0) return;
  throw new DsaSlurmError('config', `The worker cannot start: ${problems.join('; ')}.`, {
    next: `Set directories ${worker.executor === 'local' ? 'of this host' : 'that login and compute nodes share'}, by 'dsa-slurm config set <key> <directory>' or by the environment.`,
  });
}

/** @returns the mode of a directory that this user can write to */
async function writable(path: string): Promise<number> {
  await makeDirectory(path, 0o700);
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  return (await stat(path)).mode;
}

/** Whether every user of the machine may put something into a directory, and whether what others put there is safe from them. */
function isOpen(mode: number): 'closed' | 'sticky' | 'open' {
  if ((mode & 0o002) === 0) return 'closed';
  return (mode & 0o1000) === 0 ? 'open' : 'sticky';
}

/** Another user could put a link where a log, an exit record or an input is expected. */
function openToOthers(path: string): Error {
  return new Error(
    `every user of this machine may write to ${path}: run 'chmod o-w ${path}', or name a directory of your own in it`,
  );
}
