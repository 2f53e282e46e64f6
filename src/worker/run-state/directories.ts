import { constants } from 'node:fs';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { access, lstat, mkdir, stat } from '../../base/files/network-fs.js';
import type { Settings } from '../../config/index.js';
import { configDirectory } from '../../config/paths.js';

/**
 * Creates and checks the directories without which every run would fail: it is better not to start than to accept tasks that
 * must fail.
 * @returns the effective settings: if `dirs.logs` is writable for every user with the sticky bit (mode 1777), it is replaced with
 *   this user's own directory in it
 * @throws DsaSlurmError `config` with all problems
 */
export async function prepareDirectories(settings: Settings): Promise<Settings> {
  const { dirs, worker } = settings;
  let { logs } = dirs;
  const problems: string[] = [];
  const check = async (
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
  await check('dirs.tmp', 'TMP', dirs.tmp, async (path) => {
    // the sticky bit, as in /tmp, keeps other users from replacing or removing files of this one
    if (openness(await writable(path)) === 'open') throw openToOthers(path);
  });
  await check('dirs.logs', 'LOGS', dirs.logs, async (path) => {
    const found = openness(await writable(path));
    if (found === 'open') throw openToOthers(path);
    if (found === 'sticky') logs = await ownDirectoryIn(path);
  });
  await check('dirs.images', 'SIF_IMAGE_PATH', dirs.images, async (path) =>
    access(path, constants.R_OK | constants.X_OK),
  );
  if (problems.length === 0) return { ...settings, dirs: { ...dirs, logs } };
  throw new DsaSlurmError('config', `The worker cannot start: ${problems.join('; ')}.`, {
    next: `Set directories ${worker.executor === 'local' ? 'of this host' : 'that login and compute nodes share'}, with 'dsa-slurm config set <key> <directory>' or in the environment.`,
  });
}

/** Directories of the worker's own files, which no container may see: the profile, for example, has its passwords. */
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

/** Whether every user can write to a directory, and if so, whether the sticky bit protects files of others. */
function openness(mode: number): 'closed' | 'sticky' | 'open' {
  if ((mode & 0o002) === 0) return 'closed';
  return (mode & 0o1000) === 0 ? 'open' : 'sticky';
}

/**
 * Creates this user's private directory in one with the sticky bit, in which other users cannot replace it.
 * @param path must belong to root or this user, because its owner can replace its entries
 */
async function ownDirectoryIn(path: string): Promise<string> {
  const user = process.geteuid?.() ?? -1;
  const { uid } = await stat(path);
  if (uid !== 0 && uid !== user) throw openToOthers(path);
  const own = join(path, `dsa-slurm-${user}`);
  await mkdir(own, { mode: 0o700 }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
  // another user may have created it
  const found = await lstat(own);
  if (!found.isDirectory() || found.uid !== user) {
    throw new Error(
      `every user of this machine may write to ${path}, and ${own} does not belong to this user: choose a directory of your own`,
    );
  }
  if ((found.mode & 0o077) !== 0) {
    throw new Error(`other users can read ${own}: run 'chmod 700 ${own}'`);
  }
  return own;
}

/** The error for a directory in which another user could plant a link in place of a log, an exit record or an input. */
function openToOthers(path: string): Error {
  return new Error(
    `every user of this machine may write to ${path}: run 'chmod o-w ${path}', or choose a directory of your own in it`,
  );
}
