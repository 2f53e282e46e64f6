import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import * as z from 'zod';

import { systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { replaceFile } from '../../base/files/replace-file.js';

/** File in the state directory, private to its user, with the path and the cookie of the worker's socket. */
export const addressFileName = 'worker.socket.json';

const address = z.object({
  path: z.string(),
  /** Secret that proves that a client can read the state directory of this worker. */
  cookie: z.string(),
  pid: z.number(),
  host: z.string(),
});
export type Address = z.infer<typeof address>;

/**
 * Maximum bytes of the path of a Unix socket: Linux allows 108 with the terminating null, see unix(7), other systems 104.
 */
const maxPathBytes = 100;
const temporaryPrefix = 'dsa-slurm-';

export function newCookie(): string {
  return randomBytes(32).toString('base64url');
}

/** Reads the address; null if there is none, or if other users could have written it. */
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

/** Removes an address, unless another worker has replaced it. */
export async function removeAddress(stateDirectory: string, { cookie, path }: Address): Promise<void> {
  const found = await readAddress(stateDirectory);
  if (found?.cookie === cookie) await rm(join(stateDirectory, addressFileName), { force: true });
  await removeSocket(path);
}

/**
 * Paths for a socket, the preferred one first, each in a private directory. Removes leftovers of dead workers, so the caller must
 * hold the lock of the state directory.
 *
 * A path in the state directory can be too long for a socket, or its file system may not support sockets; then a directory for
 * temporary files is used.
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
 * Whether only this user can have created a socket at this path. Other users can see names in a directory for temporary files, and
 * could create the same one on another host that shares the state directory.
 */
export async function isPrivate(path: string): Promise<boolean> {
  const found = await stat(dirname(path)).catch(() => null);
  return found !== null && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/** Removes a socket, and the temporary directory that was created for it. */
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
  return Buffer.byteLength(path) <= maxPathBytes;
}
