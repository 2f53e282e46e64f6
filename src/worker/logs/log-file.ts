import { constants } from 'node:fs';

import { systemCode } from '../../base/errors.js';
import { open, stat } from '../../base/network-fs.js';

/** A piece of a growing log file. */
export interface LogPiece {
  /** Text from the place asked for; never ends inside a character. */
  text: string;
  /** Bytes read so far, where the next piece begins. */
  offset: number;
  /** The file is shorter than it was: a requeue began it anew, and reading did too. */
  restarted: boolean;
  /** Nothing more was there. */
  atEnd: boolean;
}

/**
 * Bytes read at one time, whatever the size of the log. No more than goes to Girder at one time: after a crash, a piece is
 * only recognised in Girder's log as a whole.
 */
export const pieceBytes = 8 * 1024;

/** The same in bytes, for what need not be text. */
export type Piece = Omit<LogPiece, 'text'> & { bytes: Buffer };

/** Reads the next piece of a log that another host writes, as {@link readPiece} does, in whole characters. */
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
 * Reads the next piece of a file that another host writes. The file is opened anew each time, because that is when
 * a network file system looks at the server again. A file that is not there yet is an empty piece.
 * A log that is no regular file (somebody put a pipe or a link to a device there) is left alone.
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

/** The last bytes of a log as lines, for screens and for the reason of a failure. */
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

/** Bytes of a log; 0 while it is not there. */
export async function sizeOfLog(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** How many of these bytes form whole UTF-8 characters; bytes that are no UTF-8 at all count as whole. */
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
