import { constants } from 'node:fs';
import { copyFile, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { syncDirectory } from '../../base/files/replace-file.js';
import { formatLine, writeLine, type Line } from './journal-lines.js';
import type { Lease } from './lease.js';
import { journalPath, readJournal } from './read-journal.js';
import type { Run, RunEvent } from './run.js';

/**
 * The journal: every event of every run, one JSON line each, in `journal.jsonl` of the state directory. The first line names the
 * format. It contains Girder tokens of unfinished runs, so only its owner can read it.
 */
export interface Journal {
  /** Writes an event; resolves when it is on disk and would survive a power failure. Keeps the order of calls. */
  append(runId: string, event: RunEvent): Promise<void>;
  /** Writes an event with the next durable one, or within a second. */
  appendSoon(runId: string, event: RunEvent): void;
  /** Replaces the whole journal with the current state of these runs. */
  compact(runs: Iterable<Run>): Promise<void>;
  /** Checks whether there is disk space for several tasks. @throws DsaSlurmError `files` if there is not */
  probe(): Promise<void>;
  /** Bytes written since the last compaction. */
  bytes(): number;
  /** The state of the file, for screens. */
  state(): JournalState;
  close(): Promise<void>;
}

export interface JournalState {
  path: string;
  /** Size of the file. */
  bytes: number;
  /** When it was last synced to disk, and how long that took, in milliseconds; null before the first sync. */
  synced: { at: number; ms: number } | null;
}

const soonMs = 1_000;
/** Free space that a full disk must have again before tasks are accepted: enough for the messages of several tasks. */
const probeBytes = 256 * 1024;

/** Characters of snapshots that are written at a time. */
const writeLength = 1 << 18;

/** The part of the lock on the state directory that a journal needs. */
export type JournalLease = Pick<Lease, 'hold' | 'confirm'>;

/**
 * Reads a journal and opens it for appending. The caller holds the lock on `directory`. A damaged journal is copied first, and
 * its lost lines are logged.
 *
 * A write counts only once `lease` was confirmed after it, because then the next holder of the lock reads it. If another worker
 * has taken over and replaced the file, this confirmation fails.
 * @throws DsaSlurmError `files`
 */
export async function openJournal(
  directory: string,
  log: Log,
  lease: JournalLease,
): Promise<{ journal: Journal; runs: Map<string, Run> }> {
  await makeDirectory(directory, 0o700);
  const path = journalPath(directory);
  const { runs, damaged, torn, headless } = await readJournal(path);
  try {
    if (damaged.length > 0 || headless) {
      const aside = `${path}.damaged-${Date.now()}`;
      await copyFile(path, aside, constants.COPYFILE_EXCL);
      log.error({ path, lines: damaged, headless, kept: aside }, 'the journal is damaged; kept it as it was');
    } else if (torn > 0) {
      // common after a crash, and all that is left of a journal that was cut short: the last such file is enough
      const aside = `${path}.torn`;
      await copyFile(path, aside);
      log.warn({ path, characters: torn, kept: aside }, 'dropped the torn last line of the journal');
    }
    const fresh = await replaceJournal(path, runs.values(), lease);
    await syncDirectory(directory);
    return { journal: createWriter(path, fresh, { log, lease, runs }), runs };
  } catch (error) {
    if (isLoss(error)) throw error;
    throw cannotWrite(path, error, 'Free space in the state directory and start again: nothing is lost.');
  }
}

/** A lost lock is reported as such, not as a failed write. */
function isLoss(error: unknown): boolean {
  return error instanceof DsaSlurmError && error.code === 'worker';
}

function cannotWrite(path: string, cause: unknown, next: string): DsaSlurmError {
  return new DsaSlurmError('files', `The journal ${path} cannot be written: ${coerceError(cause).message}.`, {
    next,
    cause,
  });
}

/** A journal file that is open for appending, and its size. */
interface Opened {
  file: FileHandle;
  bytes: number;
}

/**
 * Atomically replaces the journal with one that contains only `runs`. The caller must close its handle of the old file, because
 * later writes to that are lost.
 * @returns the new file, open for appending
 */
async function replaceJournal(path: string, runs: Iterable<Run>, lease: JournalLease): Promise<Opened> {
  const fresh = `${path}.new`;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
  const file = await open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
  let bytes = 0;
  try {
    let text = `${formatLine}\n`;
    const write = async (): Promise<void> => {
      bytes += Buffer.byteLength(text);
      await file.appendFile(text);
      text = '';
    };
    for (const run of runs) {
      text += `${writeLine({ snapshot: run })}\n`;
      // one write for each of thousands of runs would delay the start
      if (text.length >= writeLength) await write();
    }
    await write();
    await file.sync();
    await lease.confirm();
    await rename(fresh, path);
  } catch (error) {
    await file.close();
    // on a full disk it would take the space that the old one needs
    await rm(fresh, { force: true }).catch(() => undefined);
    throw error;
  }
  return { file, bytes };
}

/**
 * Appends in groups: lines that arrive during a write are written together with the next one, so that a thousand runs need few
 * fdatasync calls.
 */
function createWriter(
  path: string,
  opened: Opened,
  { log, lease, runs }: { log: Log; lease: JournalLease; runs: ReadonlyMap<string, Run> },
): Journal {
  let { file, bytes } = opened;
  let compacted = bytes;
  let synced: JournalState['synced'] = null;
  let lines: string[] = [];
  let waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  /** The file may end with an incomplete line. */
  let isRagged = false;
  // all file operations are serialized on this chain
  let turn: Promise<void> = Promise.resolve();

  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };

  /** Appends durably or not at all: after an incomplete line, the next one could not be read either. */
  const write = async (text: string): Promise<void> => {
    const start = bytes;
    const whole = isRagged ? `\n${text}` : text;
    await lease.hold();
    const began = performance.now();
    try {
      await file.appendFile(whole);
      bytes += Buffer.byteLength(whole);
      await file.datasync();
      await lease.confirm();
      isRagged = false;
      synced = { at: Date.now(), ms: Math.round(performance.now() - began) };
    } catch (error) {
      if (isLoss(error)) throw error;
      // NFS: the file was removed on the server
      if (systemCode(error) !== 'ESTALE') {
        await truncateTo(start);
        throw cannotWrite(path, error, 'Free space in the state directory; tasks are then accepted again.');
      }
      await lease.confirm();
    }
    try {
      await restore(whole);
    } catch (error) {
      if (isLoss(error)) throw error;
      isRagged = true;
      throw cannotWrite(path, error, 'Free space in the state directory; tasks are then accepted again.');
    }
  };

  /**
   * Restores the journal from memory if the file was removed or replaced, for example by a worker that was suspended during a
   * compaction and resumed after this one took over.
   */
  const restore = async (text: string): Promise<void> => {
    const { nlink } = await file.stat().catch((error: unknown) => {
      if (systemCode(error) === 'ESTALE') return { nlink: 0 };
      throw error;
    });
    if (nlink > 0) return;
    log.error({ path }, 'the journal was removed or replaced by another process; writing it again');
    const old = file;
    ({ file, bytes } = await replaceJournal(path, runs.values(), lease));
    compacted = bytes;
    await old.close().catch(() => undefined);
    // `runs` does not contain a run that was just accepted; repeated events have no effect
    await file.appendFile(text);
    bytes += Buffer.byteLength(text);
    await file.datasync();
    await syncDirectory(dirname(path));
  };

  const truncateTo = async (size: number): Promise<void> => {
    bytes = size;
    await file.truncate(size).catch(() => {
      isRagged = true;
    });
  };

  const flush = async (): Promise<void> => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (lines.length === 0) return;
    const text = `${lines.join('\n')}\n`;
    const written = waiters;
    lines = [];
    waiters = [];
    try {
      await write(text);
      for (const waiter of written) waiter.resolve();
    } catch (error) {
      const failure = coerceError(error);
      for (const waiter of written) waiter.reject(failure);
      if (written.length === 0) log.error({ err: failure }, 'journal');
    }
  };

  const push = (line: Line): void => {
    if (closed) throw new DsaSlurmError('worker', 'The worker has stopped.');
    lines.push(writeLine(line));
  };

  return {
    async append(run, event) {
      push({ run, event });
      const done = new Promise<void>((resolve, reject) => {
        waiters.push({ resolve, reject });
      });
      void inTurn(flush);
      return done;
    },
    appendSoon(run, event) {
      if (closed) return;
      push({ run, event });
      timer ??= setTimeout(() => {
        timer = null;
        void inTurn(flush);
      }, soonMs);
    },
    async compact(runs) {
      await inTurn(async () => {
        await flush();
        const old = file;
        ({ file, bytes } = await replaceJournal(path, runs, lease));
        compacted = bytes;
        isRagged = false;
        await old.close();
        await syncDirectory(dirname(path));
      });
    },
    async probe() {
      if (closed) return;
      await inTurn(async () => {
        await write(`${' '.repeat(probeBytes - 1)}\n`);
        await truncateTo(bytes - probeBytes);
      });
    },
    bytes: () => bytes - compacted,
    state: () => ({ path, bytes, synced }),
    async close() {
      if (closed) return turn;
      closed = true;
      return inTurn(async () => {
        await flush();
        await file.close();
      });
    },
  };
}
