import { constants } from 'node:fs';
import { copyFile, open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { makeDirectory } from '../base/make-directory.js';
import { applyEvent, beginRun, nothingFollowed, type Run, type RunEvent } from './run.js';

/**
 * The journal: every event of every run, one JSON line each, in `journal.jsonl` of the state directory. The first
 * line names the format. It holds Girder's tokens while a run is under way, so only its owner may read it.
 */
export interface Journal {
  /** Writes an event; resolves when it is on the disk and would survive a power cut. Keeps the order of calls. */
  append(runId: string, event: RunEvent): Promise<void>;
  /** Writes an event with the next durable one, or within a second. */
  appendSoon(runId: string, event: RunEvent): void;
  /** Replaces the whole journal by these runs as they are now. */
  compact(runs: Iterable<Run>): Promise<void>;
  /** Bytes written since the last compaction. */
  bytes(): number;
  /** How it is with the file, for screens. */
  state(): JournalState;
  close(): Promise<void>;
}

export interface JournalState {
  path: string;
  /** Its whole size. */
  bytes: number;
  /** When it was last made safe on the disk, and how long that took, in milliseconds; null before the first time. */
  synced: { at: number; ms: number } | null;
}

const formatLine = JSON.stringify({ journal: 'dsa-slurm', version: 1 });
const soonMs = 1_000;

type Line = { run: string; event: RunEvent } | { snapshot: Run };

/** Reads a journal and opens it for appending. The caller holds the lock on `directory`. */
export async function openJournal(
  directory: string,
  log: Log,
): Promise<{ journal: Journal; runs: Map<string, Run> }> {
  await makeDirectory(directory, 0o700);
  const path = join(directory, 'journal.jsonl');
  const runs = await readJournal(path, log);
  const fresh = await replaceJournal(path, runs.values());
  await syncDirectory(directory);
  return { journal: createWriter(path, fresh, log), runs };
}

/** Folds a journal file into runs. A torn last line is dropped; a damaged line before it is reported and set aside. */
export async function readJournal(path: string, log: Log): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>();
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return runs;
    throw new DsaSlurmError('files', `The journal ${path} cannot be read: ${coerceError(error).message}.`, {
      next: 'It holds the runs that are under way: make it readable for this user rather than removing it.',
      cause: error,
    });
  }
  const lines = text.split('\n');
  // what follows the last newline was being written when the worker died: it was never acknowledged to anyone
  const torn = lines.pop() ?? '';
  if (torn !== '') log.warn({ path, bytes: torn.length }, 'dropped the torn last line of the journal');
  let damaged = 0;
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const parsed = parseLine(line);
    if (parsed === 'format') continue;
    if (parsed === 'newer') {
      throw new DsaSlurmError('files', `The journal ${path} was written by a newer dsa-slurm.`, {
        next: 'Start that version again, or let it finish its runs first.',
      });
    }
    if (parsed === 'damaged' || !fold(runs, parsed)) {
      damaged += 1;
      log.error({ path, line: index + 1 }, 'set aside a damaged line of the journal');
    }
  }
  if (damaged > 0) {
    const aside = `${path}.damaged-${Date.now()}`;
    await copyFile(path, aside, constants.COPYFILE_EXCL);
    log.error({ path: aside, lines: damaged }, 'kept the damaged journal as it was');
  }
  return runs;
}

function parseLine(line: string): Line | 'format' | 'newer' | 'damaged' {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'damaged';
  }
  if (typeof value !== 'object' || value === null) return 'damaged';
  if ('journal' in value) return 'version' in value && value.version === 1 ? 'format' : 'newer';
  if ('snapshot' in value && isRunLike(value.snapshot)) return { snapshot: value.snapshot };
  if ('run' in value && 'event' in value && typeof value.run === 'string' && isEventLike(value.event)) {
    return { run: value.run, event: value.event };
  }
  return 'damaged';
}

function isRunLike(value: unknown): value is Run {
  return typeof value === 'object' && value !== null && 'id' in value && 'stage' in value && 'task' in value;
}

function isEventLike(value: unknown): value is RunEvent {
  return typeof value === 'object' && value !== null && 'type' in value && 'at' in value;
}

/** What runs in the journals of older versions do not have. */
const addedLater = {
  logOnItsWay: null,
  streamOffsets: {},
  brokenStream: null,
  followUps: nothingFollowed,
  stages: [],
  facts: null,
} satisfies Partial<Run>;

function fold(runs: Map<string, Run>, line: Line): boolean {
  if ('snapshot' in line) {
    runs.set(line.snapshot.id, { ...addedLater, ...line.snapshot });
    return true;
  }
  const known = runs.get(line.run);
  if (known === undefined) {
    if (line.event.type !== 'accepted') return false;
    runs.set(line.run, beginRun(line.event));
    return true;
  }
  runs.set(line.run, applyEvent(known, line.event));
  return true;
}

/** A journal file that is open for appending, and its size. */
interface Opened {
  file: FileHandle;
  bytes: number;
}

/**
 * Writes a journal that says just `runs`, beside the old one, and puts it in its place. It is given back open: whoever had
 * the old one open has to let go of it, because what is written there from now on is lost.
 */
async function replaceJournal(path: string, runs: Iterable<Run>): Promise<Opened> {
  const fresh = `${path}.new`;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
  const file = await open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
  let bytes = 0;
  try {
    const write = async (line: string): Promise<void> => {
      bytes += Buffer.byteLength(line) + 1;
      await file.write(`${line}\n`);
    };
    await write(formatLine);
    for (const run of runs) await write(JSON.stringify({ snapshot: run } satisfies Line));
    await file.sync();
    await rename(fresh, path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return { file, bytes };
}

/** A rename is only durable once its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Appends in groups: whatever was asked for while a write was under way goes with the next one, so a thousand runs
 * cost a handful of fdatasync calls and not a thousand.
 */
function createWriter(path: string, opened: Opened, log: Log): Journal {
  let { file, bytes } = opened;
  let compacted = bytes;
  let synced: JournalState['synced'] = null;
  let lines: string[] = [];
  let waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  // everything that touches the file takes its turn on this chain
  let turn: Promise<void> = Promise.resolve();

  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };

  const flush = async (): Promise<void> => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (lines.length === 0) return;
    const text = `${lines.join('\n')}\n`;
    const told = waiters;
    lines = [];
    waiters = [];
    const start = bytes;
    const began = performance.now();
    try {
      await file.appendFile(text);
      bytes += Buffer.byteLength(text);
      await file.datasync();
      synced = { at: Date.now(), ms: Math.round(performance.now() - began) };
      for (const waiter of told) waiter.resolve();
    } catch (error) {
      // half a line must not stay in the middle of the file: what comes next would be unreadable
      await file.truncate(start).catch(() => undefined);
      bytes = start;
      const failure = new DsaSlurmError(
        'files',
        `The journal ${path} cannot be written: ${coerceError(error).message}.`,
        { next: 'Free space in the state directory; intake goes on by itself then.', cause: error },
      );
      for (const waiter of told) waiter.reject(failure);
      if (told.length === 0) log.error({ err: failure }, 'journal');
    }
  };

  const push = (line: Line): void => {
    if (closed) throw new DsaSlurmError('worker', 'The worker has stopped.');
    lines.push(JSON.stringify(line));
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
        ({ file, bytes } = await replaceJournal(path, runs));
        compacted = bytes;
        await old.close();
        await syncDirectory(dirname(path));
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
