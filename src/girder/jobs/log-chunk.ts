import { crc32 } from 'node:zlib';

/** By this a piece of log is recognised in Girder's log later, whatever the log says. Plain data, because it is journaled. */
export interface PendingLogChunk {
  /** Characters that Girder's log had without it; null if nobody knows. */
  before: number | null;
  /** Its own characters. */
  length: number;
  /** Checksum of its text. */
  crc: number;
}

export function describeChunk(text: string, before: number | null): PendingLogChunk {
  return { before, length: text.length, crc: crc32(text) };
}

/** Characters of a log as Girder gives it: in entries. */
export const characterCount = (log: readonly string[]): number =>
  log.reduce((sum, { length }) => sum + length, 0);

/**
 * Whether a piece that was sent is in Girder's log. Logs repeat themselves, so its words alone would deceive: a log that
 * is no longer than it was has not got it, and one that has, has it where it ended before, whatever followed. Where that
 * place is not known, where somebody else was faster, and where Girder has shortened a very long log, the end counts.
 */
export function isInLog(log: readonly string[], { before, length, crc }: PendingLogChunk): boolean {
  const text = log.join('');
  const isAt = (from: number): boolean => from >= 0 && crc32(text.slice(from, from + length)) === crc;
  if (text.length === before) return false;
  return (before !== null && isAt(before)) || isAt(text.length - length);
}
