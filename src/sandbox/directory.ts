import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DsaSlurmError, systemCode } from '../base/errors.js';

/**
 * The directory of a sandbox: the wanted one, which has to be empty or not there because all of it is removed at the
 * end, or else a new temporary one.
 * @throws DsaSlurmError `usage` for a directory that cannot be taken, `files` for one that cannot be made or written to
 */
export async function sandboxDirectory(wanted: string | undefined): Promise<string> {
  if (wanted === undefined) return temporaryDirectory('dsa-slurm-', () => true);
  const dir = resolve(wanted);
  if (!isPlain(dir)) {
    throw new DsaSlurmError('usage', `Slurm's configuration cannot hold the path ${dir}.`, {
      next: 'Name a directory with letters, digits, ".", "_" and "-" only.',
    });
  }
  const entries = await makeAndRead(dir);
  if (entries.length > 0) {
    throw new DsaSlurmError('usage', `${dir} is not empty.`, {
      next: 'Name a directory that does not exist yet.',
    });
  }
  if (await mayRunPrograms(dir)) return dir;
  await rm(dir, { recursive: true, force: true });
  throw new DsaSlurmError('files', `No program may be run in ${dir}: its file system is mounted noexec.`, {
    next: 'Slurm runs job scripts from there. Name a directory elsewhere, such as --dir /var/tmp/sandbox.',
  });
}

async function makeAndRead(dir: string): Promise<string[]> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const entries = await readdir(dir);
    await access(dir, constants.W_OK);
    return entries;
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    throw new DsaSlurmError('files', `${dir} cannot be made or written to (${code}).`, {
      next: 'Name another directory with --dir, or leave --dir out.',
      cause: error,
    });
  }
}

/**
 * A new directory in `$TMPDIR`, or in /var/tmp where that one cannot be used: Slurm runs job scripts from it, and /tmp may
 * be mounted noexec.
 * @param isFit what else its path has to be
 * @throws DsaSlurmError `files`
 */
export async function temporaryDirectory(prefix: string, isFit: (path: string) => boolean): Promise<string> {
  const parents = [...new Set([tmpdir(), '/tmp', '/var/tmp'])];
  for (const parent of parents) {
    let dir: string;
    try {
      dir = await mkdtemp(join(parent, prefix));
    } catch {
      continue; // not there, full, or not ours
    }
    if (isPlain(dir) && isFit(dir) && (await mayRunPrograms(dir))) return dir;
    await rm(dir, { recursive: true, force: true });
  }
  throw new DsaSlurmError('files', `No directory for temporary files can be used: ${parents.join(', ')}.`, {
    next: 'Set TMPDIR to a directory with a short, plain path, where you may write and run programs (not mounted noexec).',
  });
}

/** access(2) also says no to a file that is executable by its mode, on a file system that is mounted noexec. */
async function mayRunPrograms(dir: string): Promise<boolean> {
  const probe = join(dir, 'probe');
  try {
    await writeFile(probe, '', { mode: 0o700 });
    await access(probe, constants.X_OK);
    return true;
  } catch {
    return false;
  } finally {
    await rm(probe, { force: true });
  }
}

/** A path that slurm.conf can hold: no blank, no comment, none of its patterns. */
function isPlain(path: string): boolean {
  return /^[\p{L}\p{N}._/+@-]+$/u.test(path);
}
