import { crc32 } from 'node:zlib';

/** Identifies a chunk of log text in Girder's log after a crash or a lost response. Plain data, because it is journaled. */
export interface PendingLogChunk {
  /** Length of Girder's log before this chunk; null if unknown. */
  before: number | null;
  /** Characters in this chunk. */
  length: number;
  /** CRC-32 of the text. */
  crc: number;
}

export function describeChunk(text: string, before: number | null): PendingLogChunk {
  return { before, length: text.length, crc: crc32(text) };
}

/** Length of a log as Girder returns it: as a list of entries. */
export const characterCount = (log: readonly string[]): number =>
  log.reduce((sum, { length }) => sum + length, 0);

/**
 * Whether a chunk that was sent is in Girder's log. Logs repeat themselves, so its text alone proves nothing: a log of
 * unchanged length does not contain the chunk, and one that does contains it at its former end, whatever follows. If that
 * position is unknown, if another writer was faster, or if Girder has truncated a very long log, the end of the log decides.
 */
export function isInLog(log: readonly string[], { before, length, crc }: PendingLogChunk): boolean {
  const text = log.join('');
  const isAt = (from: number): boolean => from >= 0 && crc32(text.slice(from, from + length)) === crc;
  if (text.length === before) return false;
  return (before !== null && isAt(before)) || isAt(text.length - length);
}
