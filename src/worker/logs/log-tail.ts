import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { Clock } from '../../base/clock.js';
import { errorLine, systemCode } from '../../base/errors.js';
import type { LogFile, LogTail } from '../views/handle.js';
import { createLastLines } from './last-lines.js';

/** How far back a tail begins, and what may have come between two looks before it begins anew at the end. */
const beginBytes = 256 * 1024;
const mostAtOnce = 8 * 1024 * 1024;
const pieceBytes = 64 * 1024;
/** Bytes before the place that was read to: whether they are still there tells a log that was begun anew. */
const markBytes = 64;
const lookEveryMs = 1_000;

/** Where a log is. Neither: it is not known yet. */
export interface LogPlace {
  path: string | null;
  /** Why it cannot be known. */
  problem: string | null;
  /** Somebody is being asked: it may be there already, and so may lines in it. */
  isLookupPending?: true;
}

/** What was read of a file so far. */
interface Read {
  inode: number;
  offset: number;
  mark: Buffer;
}

/**
 * Follows a log for a screen: its last lines, and new ones as they come. However large it is, only its end is read. A log
 * that was cut short or replaced is read anew.
 * @param place says where the log is, once it is known.
 * @returns the way to stop.
 */
export function tailLog(place: () => LogPlace, listener: (tail: LogTail) => void, clock: Clock): () => void {
  const over = new AbortController();
  void follow(place, listener, clock, over.signal);
  return () => over.abort();
}

async function follow(
  place: () => LogPlace,
  listener: (tail: LogTail) => void,
  clock: Clock,
  over: AbortSignal,
): Promise<void> {
  const lines = createLastLines();
  let read: Read | null = null;
  let file = null as LogFile | null;
  let looks = 0;

  /** Reads what is new; true where there is something. */
  async function look(path: string): Promise<boolean> {
    let opened: FileHandle;
    try {
      // anew each time, because that is when a network file system looks at its server again
      opened = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      const isMissing = systemCode(error) === 'ENOENT';
      file = {
        path,
        bytes: 0,
        from: file?.from ?? 0,
        isMissing,
        trouble: isMissing ? null : errorLine(error),
      };
      return false;
    }
    try {
      const found = await opened.stat();
      const { size: bytes, ino: inode } = found;
      if (!found.isFile()) {
        // somebody put a pipe or a device there
        file = { path, bytes: 0, from: 0, isMissing: false, trouble: 'It is no regular file.' };
        return false;
      }
      const begin = { inode, offset: Math.max(0, bytes - beginBytes), mark: Buffer.alloc(0) };
      const goesOn = read !== null && (await isSame(opened, read, inode, bytes));
      let at: Read = goesOn && read !== null && bytes - read.offset <= mostAtOnce ? read : begin;
      const isNew = at === begin;
      if (isNew) lines.begin({ inMiddle: begin.offset > 0, goesOn });
      file = { path, bytes, from: isNew ? begin.offset : (file?.from ?? 0), isMissing: false, trouble: null };
      const before = at.offset;
      while (at.offset < bytes && !over.aborted) {
        const buffer = Buffer.alloc(Math.min(pieceBytes, bytes - at.offset));
        const { bytesRead } = await opened.read(buffer, 0, buffer.length, at.offset);
        if (bytesRead === 0) break;
        const piece = buffer.subarray(0, bytesRead);
        lines.push(piece, looks === 0 ? null : clock.now());
        const mark = Buffer.concat([at.mark, piece]).subarray(-markBytes);
        at = { inode, offset: at.offset + bytesRead, mark };
      }
      const wasThere = read !== null;
      read = at;
      return isNew ? wasThere || bytes > 0 : at.offset > before;
    } finally {
      await opened.close();
    }
  }

  let told: string | null = null;
  while (!over.aborted) {
    const { path, problem: trouble, isLookupPending: isAsked = false } = place();
    let grown = false;
    if (path === null) {
      file = { path, bytes: 0, from: 0, isMissing: false, trouble };
    } else {
      try {
        grown = await look(path);
      } catch (error) {
        // what was read stays on the screen
        file = {
          path,
          bytes: file?.bytes ?? 0,
          from: file?.from ?? 0,
          isMissing: false,
          trouble: errorLine(error),
        };
      }
    }
    const state = JSON.stringify(file);
    if ((grown || state !== told) && !over.aborted) {
      told = state;
      listener({ ...lines.view(), ...(file === null ? {} : { file }) });
    }
    if (!isAsked) looks += 1;
    await clock.sleep(lookEveryMs, over);
  }
}

/** Whether a file is the one that was read, with more behind what was read or nothing new at all. */
async function isSame(opened: FileHandle, read: Read, inode: number, bytes: number): Promise<boolean> {
  const { offset, mark } = read;
  if (read.inode !== inode || bytes < offset) return false;
  const there = Buffer.alloc(mark.length);
  await opened.read(there, 0, there.length, offset - mark.length);
  return there.equals(mark);
}
