import path from 'node:path';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import { realpath } from '../../base/network-fs.js';

/**
 * Refuses a host path that must not be bound into a container.
 * @param use `whole`: the container sees all of it; `inside`: only a fresh directory in it
 * @throws DsaSlurmError `files`
 */
export type BindGuard = (host: string, use: 'whole' | 'inside') => Promise<void>;

/**
 * Keeps volumes and direct paths of a message away from what belongs to the worker: whoever reads its profile has its
 * passwords, and whoever writes exit records or the journal decides how other runs end. Links are followed first.
 * @param options.privateDirectories nothing in them may be bound, nor anything that contains one of them
 * @param options.tmpDir may not be bound, nor anything in it that begins with `ownPrefix`, which are directories of runs
 */
export function createBindGuard({
  privateDirectories,
  tmpDir,
  ownPrefix,
}: {
  privateDirectories: readonly string[];
  tmpDir: string;
  ownPrefix: string;
}): BindGuard {
  return async (host, use) => {
    const real = await realPath(host);
    const seesAll = (directory: string): boolean => use === 'whole' && contains(real, directory);
    const realTmp = await realPath(tmpDir);
    if (seesAll(realTmp) || isOfARun(real, realTmp, ownPrefix)) {
      throw refused(host, 'directories of other runs');
    }
    for (const directory of privateDirectories) {
      const own = await realPath(directory);
      if (seesAll(own) || contains(own, real)) throw refused(host, "the worker's own files");
    }
  };
}

function isOfARun(real: string, tmpDir: string, ownPrefix: string): boolean {
  return contains(tmpDir, real) && path.relative(tmpDir, real).startsWith(ownPrefix);
}

function refused(host: string, what: string): DsaSlurmError {
  return new DsaSlurmError(
    'files',
    `The path ${host} of this worker's host cannot be given to a container: ${what} are there.`,
    {
      next: 'Name another directory in the task, or move that one (settings dirs.tmp, dirs.logs, dirs.state).',
    },
  );
}

/** Whether `inner` is `outer` or lies in it. */
function contains(outer: string, inner: string): boolean {
  const relative = path.relative(outer, inner);
  return relative !== '..' && !relative.startsWith('../');
}

/** The path without links, as far as it exists. */
async function realPath(host: string): Promise<string> {
  try {
    return await realpath(host);
  } catch (error) {
    const parent = path.dirname(host);
    if (systemCode(error) !== 'ENOENT' || parent === host) throw unreadable(host, error);
    return path.join(await realPath(parent), path.basename(host));
  }
}

function unreadable(host: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError(
    'files',
    `The path ${host} of this worker's host cannot be given to a container: it cannot be looked at (${systemCode(cause) ?? 'unknown'}).`,
    { next: 'Let the user of the worker search the directories above it.', cause },
  );
}
