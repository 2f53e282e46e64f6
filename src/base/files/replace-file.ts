import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces a file atomically and durably: readers see the old content or the new, never a part of it, even after a crash of
 * this host. The file is private to this user. A symbolic link at `path` is replaced, not followed.
 * @param path absolute; its directory exists
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = await writeTemporary(path, content, 0o600);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * Writes `content` to disk under a unique hidden name in the directory of `path`, ready to be renamed to it. Removes what it
 * wrote if that fails: on a full disk it would take the space that other files need.
 * @returns the path of the temporary file
 */
export async function writeTemporary(path: string, content: string, mode: number): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  // 'wx' does not follow a link that someone else put there
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(content);
      // chmod, because open applies the umask
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  return temporary;
}

/** A created, renamed or removed file survives a crash only once its directory is on disk. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
