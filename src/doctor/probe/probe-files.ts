import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DsaSlurmError, systemCode } from '../../base/errors.js';

/** A directory as seen from a compute node. */
export interface ProbedDirectory {
  path: string;
  /** The node sees the same directory: by the nonce or, if none could be written, by the inode. */
  shared: boolean;
  /** The node could write its answer. */
  writable: boolean;
  /** Duration of reading and writing on the node, in milliseconds. */
  ms: number | null;
  /** Milliseconds from the report until the node's answer appeared here; null if it did not. */
  answerMs: number | null;
}

/** Nonce files for the compute node to read. */
export interface PlacedNonces {
  nonce: string;
  /** File with the job's report. */
  logFile: string;
  directories: readonly { path: string; placed: boolean; inode: number }[];
  hasAnswer(path: string): Promise<boolean>;
  /** Removes all files. Never rejects. */
  remove(): Promise<void>;
}

/**
 * Writes a nonce file into each directory, if possible.
 * @throws DsaSlurmError `files` if a directory does not exist, or none is writable
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
    // wait for all of them, so that nothing is written after the cleanup
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
      throw new DsaSlurmError('files', `None of ${directories.join(', ')} is writable on this host.`);
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
      `A directory cannot be examined (${systemCode(thrown) ?? 'unknown error'}).`,
      {
        cause: thrown,
      },
    );
  }
}
