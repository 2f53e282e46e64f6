import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { errorLine, systemCode } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { isTaskId, type Task } from '../../celery/messages/task.js';

/** The part of a message that the journal drops once its run is finished. Contains tokens: never log it. */
export type RetryMessage = Pick<Task, 'headers' | 'body'>;

/**
 * Messages of runs that failed or were canceled, for retries: one file each in `messages/` of the state directory, which only its
 * owner can read. Expired messages are removed, and the oldest ones if all exceed the size limit.
 */
export interface RetryMessages {
  /**
   * Never throws: a lost message only means that the run cannot be retried.
   * @param tokensEnd when its tokens expire, in milliseconds since the epoch
   */
  keep(task: Task, tokensEnd: number): Promise<void>;
  /** Null if there is none, or if it has expired. */
  read(id: string): Promise<RetryMessage | null>;
  remove(id: string): Promise<void>;
  /** Removes expired messages and those that are no longer needed. */
  prune(isNeeded: (id: string) => boolean): Promise<void>;
}

export interface RetryMessagesOptions {
  /** Maximum age of a message in milliseconds. */
  maxMs: number;
  /** Maximum size of all files. */
  maxBytes: number;
  now: () => number;
  log: Log;
}

interface Entry {
  file: string;
  /** Milliseconds since the epoch. */
  until: number;
  bytes: number;
}

/** The caller holds the lock on `stateDirectory`. */
export async function openRetryMessages(
  stateDirectory: string,
  { maxMs, maxBytes, now, log }: RetryMessagesOptions,
): Promise<RetryMessages> {
  const directory = join(stateDirectory, 'messages');
  const entries = new Map<string, Entry>();
  await makeDirectory(directory, 0o700);
  for (const file of await readdir(directory)) {
    // the name has the expiry, so that files need not be opened
    const { until, id } = /^(?<until>\d{1,15})_(?<id>.+)\.json$/.exec(file)?.groups ?? {};
    const path = join(directory, file);
    if (until === undefined || !isTaskId(id)) await rm(path, { force: true });
    else entries.set(id, { file, until: Number(until), bytes: (await stat(path)).size });
  }

  async function drop(id: string): Promise<void> {
    const entry = entries.get(id);
    if (entry === undefined) return;
    entries.delete(id);
    await rm(join(directory, entry.file), { force: true });
  }

  async function makeRoom(): Promise<void> {
    let total = [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= maxBytes) return;
    for (const [id, { bytes }] of [...entries].sort(([, a], [, b]) => a.until - b.until)) {
      if (total <= maxBytes) return;
      await drop(id);
      total -= bytes;
    }
  }

  return {
    async keep({ id, headers, body }, tokensEnd) {
      const until = Math.min(tokensEnd, now() + maxMs);
      const text = JSON.stringify({ headers, body } satisfies RetryMessage);
      const bytes = Buffer.byteLength(text);
      if (bytes > maxBytes || until <= now() || !isTaskId(id)) return;
      const file = `${Math.round(until)}_${id}.json`;
      try {
        await drop(id);
        entries.set(id, { file, until, bytes });
        await makeRoom();
        await replaceFile(join(directory, file), text);
      } catch (error) {
        entries.delete(id);
        log.warn(
          { run: id, why: errorLine(error) },
          'the message cannot be saved: this run cannot be retried',
        );
      }
    },
    async read(id) {
      const entry = entries.get(id);
      if (entry === undefined || entry.until <= now()) return null;
      try {
        return readMessage(await readFile(join(directory, entry.file), 'utf8'));
      } catch (error) {
        if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return null;
        throw error;
      }
    },
    remove: drop,
    async prune(isNeeded) {
      const needed = [...entries].filter(([id, { until }]) => until > now() && isNeeded(id));
      const keep = new Set(needed.map(([id]) => id));
      for (const id of entries.keys()) if (!keep.has(id)) await drop(id);
      await makeRoom();
    },
  };
}

/** Milliseconds between removals of expired messages. */
const pruneEveryMs = 10 * 60_000;

/** Removes expired messages periodically. Returns a function that stops this. */
export function keepPruned(messages: RetryMessages, isNeeded: (id: string) => boolean, log: Log): () => void {
  const prune = (): void => {
    messages
      .prune(isNeeded)
      .catch((error: unknown) =>
        log.warn({ why: errorLine(error) }, 'messages of old runs cannot be removed'),
      );
  };
  prune();
  const timer = setInterval(prune, pruneEveryMs);
  return () => clearInterval(timer);
}

function readMessage(text: string): RetryMessage | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return null;
  const { headers, body } = value as Partial<Record<keyof RetryMessage, unknown>>;
  if (typeof headers !== 'object' || headers === null || typeof body !== 'string') return null;
  return { headers: headers as RetryMessage['headers'], body };
}
