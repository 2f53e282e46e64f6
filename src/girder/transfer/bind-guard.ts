import path from 'node:path';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import { realpath } from '../../base/files/network-fs.js';

/** `whole`: the container sees all of a host path; `inside`: only a fresh directory in it. */
export type BindUse = 'whole' | 'inside';

/**
 * Rejects a host path that must not be mounted into a container.
 * @throws DsaSlurmError `files`
 */
type BindGuard = (host: string, use: BindUse) => Promise<void>;

/** Paths that no container may see. */
interface PrivatePaths {
  /** Neither they, nor anything in them, nor anything that contains them may be mounted. */
  privateDirectories: readonly string[];
  /** Neither it nor anything in it that starts with `ownPrefix` (directories of runs) may be mounted. */
  tmpDir: string;
  ownPrefix: string;
}

/**
 * Keeps volumes and direct paths of a message away from the worker's own files: a container that reads the profile gets its
 * passwords, and one that writes exit records or the journal decides how other runs end. Links are resolved first.
 */
export function createBindGuard({ privateDirectories, tmpDir, ownPrefix }: PrivatePaths): BindGuard {
  return async (host, use) =>
    checkBind(
      { host, real: await realPath(host), use },
      {
        privateDirectories: await Promise.all(privateDirectories.map(realPath)),
        tmpDir: await realPath(tmpDir),
        ownPrefix,
      },
    );
}

/**
 * Checks a host path whose links are resolved. Pure.
 * @param places with links resolved, too
 * @throws DsaSlurmError `files` for a path that must not be mounted
 */
function checkBind(
  { host, real, use }: { host: string; real: string; use: BindUse },
  { privateDirectories, tmpDir, ownPrefix }: PrivatePaths,
): void {
  const seesAll = (directory: string): boolean => use === 'whole' && contains(real, directory);
  if (seesAll(tmpDir) || isOfARun(real, tmpDir, ownPrefix)) {
    throw refused(host, 'directories of other runs');
  }
  for (const own of privateDirectories) {
    if (seesAll(own) || contains(own, real)) throw refused(host, "the worker's own files");
  }
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

/** Whether `inner` is `outer` or a path below it. */
function contains(outer: string, inner: string): boolean {
  const relative = path.relative(outer, inner);
  return relative !== '..' && !relative.startsWith('../');
}

/** The path with links resolved, as far as it exists. */
async function realPath(host: string): Promise<string> {
  try {
    return await realpath(host);
  } catch (error) {
    const parent = path.dirname(host);
    if (systemCode(error) !== 'ENOENT' || parent === host) throw unreadable(host, error);
    return path.join(await realPath(parent), path.basename(host));
  }
}

/** The error for a path whose links cannot be resolved. */
function unreadable(host: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError(
    'files',
    `The path ${host} of this worker's host cannot be given to a container: it cannot be inspected (${systemCode(cause) ?? 'unknown'}).`,
    { next: 'Give the user of the worker search permission on its parent directories.', cause },
  );
}
