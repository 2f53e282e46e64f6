import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { Clock } from '../../base/clock.js';
import { errorLine, systemCode } from '../../base/errors.js';
import type { LogFile, LogTail } from '../views/handle.js';
import { createLastLines } from './last-lines.js';

/** Size of the tail at the start, and how much may be appended between two polls before the tail skips to the end. */
const initialBytes = 256 * 1024;
const maxGrowthBytes = 8 * 1024 * 1024;
const pieceBytes = 64 * 1024;
/** Bytes before the read offset that are compared to detect that a log was replaced. */
const markBytes = 64;
const pollMs = 1_000;

/** Where a log is. Both null: not known yet. */
export interface LogPlace {
  path: string | null;
  /** Why the path cannot be determined. */
  problem: string | null;
  /** The path is being looked up, so the log may exist already. */
  isLookupPending?: true;
}

/** How far a file was read. */
interface ReadPosition {
  inode: number;
  offset: number;
  mark: Buffer;
}

/**
 * Follows a log for a screen: its last lines, and new ones as they are appended. Only the end of the log is read. A log
 * that was truncated or replaced is read again.
 * @param place returns where the log is, once it is known
 * @returns a function that stops following
 */
export function tailLog(place: () => LogPlace, listener: (tail: LogTail) => void, clock: Clock): () => void {
  const stopped = new AbortController();
  void follow(place, listener, clock, stopped.signal);
  return () => stopped.abort();
}

async function follow(
  place: () => LogPlace,
  listener: (tail: LogTail) => void,
  clock: Clock,
  stopped: AbortSignal,
): Promise<void> {
  const lines = createLastLines();
  let read: ReadPosition | null = null;
  let file = null as LogFile | null;
  let polls = 0;

  /** Reads new data. Returns whether there was any. */
  async function poll(path: string): Promise<boolean> {
    let opened: FileHandle;
    try {
      // each time, because only then a network file system revalidates its cache
      opened = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      const isMissing = systemCode(error) === 'ENOENT';
      file = {
        path,
        bytes: 0,
        from: file?.from ?? 0,
        isMissing,
        problem: isMissing ? null : errorLine(error),
      };
      return false;
    }
    try {
      const found = await opened.stat();
      const { size: bytes, ino: inode } = found;
      if (!found.isFile()) {
        // somebody put a pipe or a device there
        file = { path, bytes: 0, from: 0, isMissing: false, problem: 'It is not a regular file.' };
        return false;
      }
      const begin = { inode, offset: Math.max(0, bytes - initialBytes), mark: Buffer.alloc(0) };
      const isSameLog = read !== null && (await isSame(opened, read, inode, bytes));
      let at: ReadPosition =
        isSameLog && read !== null && bytes - read.offset <= maxGrowthBytes ? read : begin;
      const isNew = at === begin;
      if (isNew) lines.begin({ inMiddle: begin.offset > 0, isSameLog });
      file = { path, bytes, from: isNew ? begin.offset : (file?.from ?? 0), isMissing: false, problem: null };
      const before = at.offset;
      while (at.offset < bytes && !stopped.aborted) {
        const buffer = Buffer.alloc(Math.min(pieceBytes, bytes - at.offset));
        const { bytesRead } = await opened.read(buffer, 0, buffer.length, at.offset);
        if (bytesRead === 0) break;
        const piece = buffer.subarray(0, bytesRead);
        lines.push(piece, polls === 0 ? null : clock.now());
        const mark = Buffer.concat([at.mark, piece]).subarray(-markBytes);
        at = { inode, offset: at.offset + bytesRead, mark };
      }
      const wasRead = read !== null;
      read = at;
      return isNew ? wasRead || bytes > 0 : at.offset > before;
    } finally {
      await opened.close();
    }
  }

  let published: string | null = null;
  while (!stopped.aborted) {
    const { path, problem, isLookupPending: isAsked = false } = place();
    let grown = false;
    if (path === null) {
      file = { path, bytes: 0, from: 0, isMissing: false, problem };
    } else {
      try {
        grown = await poll(path);
      } catch (error) {
        // keep the lines that were read
        file = {
          path,
          bytes: file?.bytes ?? 0,
          from: file?.from ?? 0,
          isMissing: false,
          problem: errorLine(error),
        };
      }
    }
    const state = JSON.stringify(file);
    if ((grown || state !== published) && !stopped.aborted) {
      published = state;
      listener({ ...lines.view(), ...(file === null ? {} : { file }) });
    }
    if (!isAsked) polls += 1;
    await clock.sleep(pollMs, stopped);
  }
}

/** Whether a file is the one that was read before, possibly with more data appended. */
async function isSame(
  opened: FileHandle,
  read: ReadPosition,
  inode: number,
  bytes: number,
): Promise<boolean> {
  const { offset, mark } = read;
  if (read.inode !== inode || bytes < offset) return false;
  const there = Buffer.alloc(mark.length);
  await opened.read(there, 0, there.length, offset - mark.length);
  return there.equals(mark);
}
