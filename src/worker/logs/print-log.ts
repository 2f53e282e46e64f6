import type { Clock } from '../../base/clock.js';
import { DsaSlurmError } from '../../base/errors.js';
import { inodeOf, readLastLines, readLogPiece, sizeOfLog } from './log-file.js';

export interface PrintLogOptions {
  /** Print what is appended until `signal` aborts. */
  follow: boolean;
  /** Number of lines at the end of the file. */
  lines: number;
  /** Gets text without control characters. */
  write: (text: string) => void;
  clock: Clock;
  signal: AbortSignal;
}

/** Maximum bytes of the last lines. */
const maxBytes = 4 * 1024 * 1024;
const pollMs = 1_000;

/**
 * Prints the end of a log, and follows it: also when it appears later, is shortened, or is rotated to `<path>.1`.
 * @throws DsaSlurmError `unknown` if it does not exist, without `follow`
 */
export async function printLog(
  path: string,
  { follow, lines, write, clock, signal }: PrintLogOptions,
): Promise<void> {
  let inode = await inodeOf(path);
  if (inode === null && !follow) {
    throw new DsaSlurmError('unknown', `The log ${path} does not exist (any more).`);
  }
  let offset = await sizeOfLog(path);
  const last = await readLastLines(path, lines, maxBytes);
  if (last.length > 0) write(`${printable(last.join('\n'))}\n`);
  if (!follow) return;
  while (!signal.aborted) {
    const piece = await readLogPiece(path, offset);
    const now = await inodeOf(path);
    if (inode !== null && now !== null && now !== inode) {
      // rotated: the piece may be of either file, so it is read again
      const old = `${path}.1`;
      if ((await inodeOf(old)) === inode) await printFrom(old, offset, write);
      [inode, offset] = [now, 0];
      continue;
    }
    inode = now ?? inode;
    offset = piece.offset;
    write(printable(piece.text));
    if (piece.atEnd) await clock.sleep(pollMs, signal);
  }
}

/** Prints a file from an offset to its end. */
async function printFrom(path: string, from: number, write: (text: string) => void): Promise<void> {
  let offset = from;
  for (;;) {
    const piece = await readLogPiece(path, offset);
    write(printable(piece.text));
    if (piece.atEnd) return;
    offset = piece.offset;
  }
}

/** The log is written by a container: escape sequences would control the terminal. */
const printable = (text: string): string => text.replaceAll(/[^\P{Cc}\n\t]/gu, '');
