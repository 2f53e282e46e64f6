import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import * as z from 'zod';

import { systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/make-directory.js';
import { replaceFile } from '../../base/replace-file.js';

/** In the state directory, for its user alone: where the socket of the worker is, and what opens it. */
export const addressFileName = 'worker.socket.json';

const address = z.object({
  path: z.string(),
  /** Whoever can say it can read the state directory of this worker. */
  cookie: z.string(),
  pid: z.number(),
  host: z.string(),
});
export type Address = z.infer<typeof address>;

/**
 * Bytes of a path that a Unix socket may have: unix(7) gives it 108 with the end of the text, other systems 104.
 */
const longestPath = 100;
const temporaryPrefix = 'dsa-slurm-';

export function newCookie(): string {
  return randomBytes(32).toString('base64url');
}

/** The address that is written down; null if there is none, or if others could have written it. */
export async function readAddress(stateDirectory: string): Promise<Address | null> {
  const path = join(stateDirectory, addressFileName);
  try {
    const { uid, mode } = await stat(path);
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0) return null;
    return address.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

export async function writeAddress(stateDirectory: string, written: Address): Promise<void> {
  await replaceFile(join(stateDirectory, addressFileName), `${JSON.stringify(written)}\n`);
}

/** Takes an address away, unless another worker has put its own there meanwhile. */
export async function removeAddress(stateDirectory: string, { cookie, path }: Address): Promise<void> {
  const found = await readAddress(stateDirectory);
  if (found?.cookie === cookie) await rm(join(stateDirectory, addressFileName), { force: true });
  await removeSocket(path);
}

/**
 * Paths at which a socket may be made, the best one first, each in a directory of this user alone. What dead workers have
 * left is removed: only who holds the lock of the state directory may call this.
 *
 * A path in the state directory may be too long for a socket, or its file system may have none; then a directory for
 * temporary files has a short one.
 */
export async function* socketPaths(stateDirectory: string): AsyncGenerator<string, void, undefined> {
  const left = await readAddress(stateDirectory);
  if (left !== null && isTemporary(left.path)) await removeSocket(left.path);
  const directory = join(stateDirectory, 'socket');
  const own = join(directory, randomBytes(4).toString('hex'));
  if (fits(own)) {
    await makeDirectory(directory, 0o700);
    await chmod(directory, 0o700);
    for (const name of await readdir(directory)) await rm(join(directory, name), { force: true });
    yield own;
  }
  const roots = new Set([tmpdir(), '/tmp']);
  for (const root of roots) {
    if (!fits(join(root, `${temporaryPrefix}XXXXXX`, 'worker'))) continue;
    const path = join(await mkdtemp(join(root, temporaryPrefix)), 'worker');
    yield path;
  }
}

/**
 * Whether nobody but this user can have made what lies at this path. Names in a directory for temporary files are seen by
 * others, who could make the same on another host that shares the state directory.
 */
export async function isPrivate(path: string): Promise<boolean> {
  const found = await stat(dirname(path)).catch(() => null);
  return found !== null && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/** Removes a socket, and the temporary directory that was made for it. */
export async function removeSocket(path: string): Promise<void> {
  if (!(await isPrivate(path))) return;
  await rm(path, { force: true });
  if (!isTemporary(path)) return;
  await rmdir(dirname(path)).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTEMPTY') throw error;
  });
}

function isTemporary(path: string): boolean {
  return basename(dirname(path)).startsWith(temporaryPrefix);
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= longestPath;
}
