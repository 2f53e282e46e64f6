import { constants } from 'node:fs';

import { systemCode } from '../../base/errors.js';
import { open, stat } from '../../base/files/network-fs.js';

/** A chunk of a growing log file. */
export interface LogPiece {
  /** Text from the requested offset; never ends inside a character. */
  text: string;
  /** Offset of the next chunk, in bytes. */
  offset: number;
  /** The file was truncated, for example by a requeue, and was read from its start. */
  restarted: boolean;
  /** The end of the file was reached. */
  atEnd: boolean;
}

/**
 * Maximum bytes per read. No more than one update of the Girder log takes, because after a crash a chunk is only
 * recognized in Girder's log as a whole.
 */
export const pieceBytes = 8 * 1024;

/** A chunk as bytes, for content that may not be text. */
export type Piece = Omit<LogPiece, 'text'> & { bytes: Buffer };

/** As {@link readPiece}, but in whole characters. */
export async function readLogPiece(path: string, offset: number, maxBytes = pieceBytes): Promise<LogPiece> {
  const { bytes, restarted, atEnd, ...piece } = await readPiece(path, offset, maxBytes);
  const whole = wholeCharacters(bytes);
  return {
    text: bytes.toString('utf8', 0, whole),
    offset: piece.offset - bytes.length + whole,
    restarted,
    atEnd,
  };
}

/**
 * Reads the next chunk of a file that another host writes. Opens the file each time, because only then a network file
 * system revalidates its cache. A missing file is an empty chunk, and so is anything that is not a regular file, such as
 * a pipe or a link that a user put there.
 */
export async function readPiece(path: string, offset: number, maxBytes = pieceBytes): Promise<Piece> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      return { bytes: Buffer.alloc(0), offset, restarted: false, atEnd: true };
    throw error;
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) return { bytes: Buffer.alloc(0), offset, restarted: false, atEnd: true };
    const restarted = found.size < offset;
    const from = restarted ? 0 : offset;
    const buffer = Buffer.alloc(Math.min(maxBytes, found.size - from));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const atEnd = from + bytesRead >= found.size;
    return { bytes: buffer.subarray(0, bytesRead), offset: from + bytesRead, restarted, atEnd };
  } finally {
    await file.close();
  }
}

/** The last lines of a log, for screens and for the reason of a failure; empty if it cannot be read. */
export async function readLastLines(path: string, lines: number, maxBytes = 16 * 1024): Promise<string[]> {
  let text: string;
  let start: number;
  try {
    start = Math.max(0, (await sizeOfLog(path)) - maxBytes);
    ({ text } = await readLogPiece(path, start, maxBytes));
  } catch {
    return [];
  }
  const all = text.split('\n');
  if (start > 0) all.shift();
  if (all.at(-1) === '') all.pop();
  return all.slice(-lines);
}

/** Size of a log in bytes; 0 if it does not exist. */
export async function sizeOfLog(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** Tells whether a path still names the same file; null if it names none. */
export async function inodeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The number of bytes before an incomplete UTF-8 character at the end; invalid bytes count as complete. */
export function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needs > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
