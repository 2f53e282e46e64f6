import { constants } from 'node:fs';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/make-directory.js';
import { access, lstat, mkdir, stat } from '../../base/network-fs.js';
import type { Settings } from '../../config/index.js';
import { configDirectory } from '../../config/paths.js';

/**
 * Sees to it that the directories without which every run would fail are there: better no worker than one that takes
 * tasks in only to fail them.
 * @returns the settings to work with: where every user may write to `dirs.logs` but not replace what others have made there (mode
 *   1777), it is a directory of this user in it
 * @throws DsaSlurmError `config` with everything that is wrong
 */
export async function prepareDirectories(settings: Settings): Promise<Settings> {
  const { dirs, worker } = settings;
  let { logs } = dirs;
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
    if (openness(await writable(path)) === 'open') throw openToOthers(path);
  });
  await need('dirs.logs', 'LOGS', dirs.logs, async (path) => {
    const found = openness(await writable(path));
    if (found === 'open') throw openToOthers(path);
    if (found === 'sticky') logs = await ownDirectoryIn(path);
  });
  await need('dirs.images', 'SIF_IMAGE_PATH', dirs.images, async (path) =>
    access(path, constants.R_OK | constants.X_OK),
  );
  if (problems.length === 0) return { ...settings, dirs: { ...dirs, logs } };
  throw new DsaSlurmError('config', `The worker cannot start: ${problems.join('; ')}.`, {
    next: `Set directories ${worker.executor === 'local' ? 'of this host' : 'that login and compute nodes share'}, by 'dsa-slurm config set <key> <directory>' or by the environment.`,
  });
}

/** Directories of the worker's own files: whoever reads its profile has its passwords, so no container may see them. */
export function privateDirectories(
  { dirs }: Pick<Settings, 'dirs'>,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return [dirs.state, dirs.logs, configDirectory(env)].filter((directory) => directory !== null);
}

/** @returns the mode of a directory that this user can write to */
async function writable(path: string): Promise<number> {
  await makeDirectory(path, 0o700);
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  return (await stat(path)).mode;
}

/** Whether every user of the machine may put something into a directory, and whether what others put there is safe from them. */
function openness(mode: number): 'closed' | 'sticky' | 'open' {
  if ((mode & 0o002) === 0) return 'closed';
  return (mode & 0o1000) === 0 ? 'open' : 'sticky';
}

/**
 * Makes the directory of this user in one with the sticky bit, in which nobody else can replace it: nobody else can read it or
 * put something into it.
 * @param path its owner may replace what is in it, so that has to be root or this user
 */
async function ownDirectoryIn(path: string): Promise<string> {
  const user = process.geteuid?.() ?? -1;
  const { uid } = await stat(path);
  if (uid !== 0 && uid !== user) throw openToOthers(path);
  const own = join(path, `dsa-slurm-${user}`);
  await mkdir(own, { mode: 0o700 }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
  // another user may have been there first
  const found = await lstat(own);
  if (!found.isDirectory() || found.uid !== user) {
    throw new Error(
      `every user of this machine may write to ${path}, and ${own} does not belong to this user: name a directory of your own`,
    );
  }
  if ((found.mode & 0o077) !== 0) {
    throw new Error(`other users may look into ${own}: run 'chmod 700 ${own}'`);
  }
  return own;
}

/** Another user could put a link where a log, an exit record or an input is expected. */
function openToOthers(path: string): Error {
  return new Error(
    `every user of this machine may write to ${path}: run 'chmod o-w ${path}', or name a directory of your own in it`,
  );
}
