import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DsaSlurmError, systemCode } from '../base/errors.js';

/**
 * The directory of a sandbox: `requested`, which must be empty or missing because all of it is removed at the end, or a
 * new temporary one.
 * @throws DsaSlurmError `usage` for an unsuitable directory, `files` for one that cannot be created or written to
 */
export async function sandboxDirectory(requested: string | undefined): Promise<string> {
  if (requested === undefined) return makeSandboxDirectory('dsa-slurm-', () => true);
  const dir = resolve(requested);
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
  throw new DsaSlurmError('files', `Programs cannot be run in ${dir}: its file system is mounted noexec.`, {
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
    throw new DsaSlurmError('files', `${dir} cannot be created or written to (${code}).`, {
      next: 'Name another directory with --dir, or leave --dir out.',
      cause: error,
    });
  }
}

/**
 * A new directory in `$TMPDIR`, or in /var/tmp if that one cannot be used: Slurm runs job scripts from it, and /tmp may
 * be mounted noexec.
 * @param isFit further condition on its path
 * @throws DsaSlurmError `files`
 */
export async function makeSandboxDirectory(
  prefix: string,
  isFit: (path: string) => boolean,
): Promise<string> {
  const parents = [...new Set([tmpdir(), '/tmp', '/var/tmp'])];
  for (const parent of parents) {
    let dir: string;
    try {
      dir = await mkdtemp(join(parent, prefix));
    } catch {
      continue; // missing, full, or not writable
    }
    if (isPlain(dir) && isFit(dir) && (await mayRunPrograms(dir))) return dir;
    await rm(dir, { recursive: true, force: true });
  }
  throw new DsaSlurmError('files', `No directory for temporary files can be used: ${parents.join(', ')}.`, {
    next: 'Set TMPDIR to a directory with a short, plain path, where you may write and run programs (not mounted noexec).',
  });
}

/** access(2) also denies X_OK for an executable file on a file system that is mounted noexec. */
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

/** A path that slurm.conf can hold: no blanks, no comment character, no patterns. */
function isPlain(path: string): boolean {
  return /^[\p{L}\p{N}._/+@-]+$/u.test(path);
}
