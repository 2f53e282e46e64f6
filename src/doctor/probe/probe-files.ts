import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DsaSlurmError, systemCode } from '../../base/errors.js';

/** What a compute node makes of one directory. */
export interface ProbedDirectory {
  path: string;
  /** The same directory is there: the nonce could be read, or, where none could be written, its inode is the same. */
  shared: boolean;
  /** The node could write its answer; false too where this user may not write here either. */
  writable: boolean;
  /** Milliseconds that the node needed to read and write. */
  ms: number | null;
  /** Milliseconds after the report until the node's answer was seen here; null if it never was. */
  answerMs: number | null;
}

/** Nonces in the directories, waiting to be read on a compute node. */
export interface PlacedNonces {
  nonce: string;
  /** Where the job's report goes. */
  logFile: string;
  directories: readonly { path: string; placed: boolean; inode: number }[];
  hasAnswer(path: string): Promise<boolean>;
  /** Removes all of it. Never rejects. */
  remove(): Promise<void>;
}

/**
 * Writes a nonce into each directory, as far as this user may.
 * @throws DsaSlurmError `files` if one is not there, or none can be written
 */
export async function placeNonces(directories: readonly string[], nonce: string): Promise<PlacedNonces> {
  const fileIn = (path: string) => join(path, `.dsa-slurm-probe-${nonce}`);
  const remove = async () => {
    const files = directories.flatMap((path) => [
      fileIn(path),
      `${fileIn(path)}.answer`,
      `${fileIn(path)}.log`,
    ]);
    await Promise.all(files.map((file) => rm(file, { force: true }).catch(() => undefined)));
  };
  try {
    // each is waited for, so that nothing is written behind the back of whoever clears up
    const tried = await Promise.allSettled(
      directories.map(async (path) => {
        const { ino: inode } = await stat(path);
        const written = await writeFile(fileIn(path), `${nonce}\n`, { flag: 'wx', mode: 0o600 }).then(
          () => true,
          () => false,
        );
        return { path, placed: written, inode };
      }),
    );
    const placed = tried.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
    const first = placed.find((directory) => directory.placed);
    if (first === undefined) {
      throw new DsaSlurmError('files', `None of ${directories.join(', ')} can be written here.`);
    }
    return {
      nonce,
      logFile: `${fileIn(first.path)}.log`,
      directories: placed,
      async hasAnswer(path) {
        const text = await readFile(`${fileIn(path)}.answer`, 'utf8').catch(() => '');
        return text.trim() === nonce;
      },
      remove,
    };
  } catch (thrown) {
    await remove();
    if (thrown instanceof DsaSlurmError) throw thrown;
    throw new DsaSlurmError(
      'files',
      `A directory cannot be looked at (${systemCode(thrown) ?? 'unknown reason'}).`,
      {
        cause: thrown,
      },
    );
  }
}
