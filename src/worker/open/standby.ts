import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeDirectory } from '../../base/make-directory.js';
import { describeSelf, parseOwner, type ProcessIdentity } from '../run-state/process-identity.js';

/** A worker that waits for the one that has the state directory. */
export type StandbyWorker = Pick<ProcessIdentity, 'host' | 'pid' | 'since'>;

const directoryName = 'worker.standby';
/** Between two signs of life. */
const beatMs = 5_000;
/** Beats that may be missing. */
const silentMs = 4 * beatMs;
/** Files that nobody has written to for so long are left over. */
const leftOverMs = 10 * 60_000;
/** Files beyond these are not read: there are two or three login nodes. */
const mostRead = 32;

/**
 * Tells the worker that has the state directory that this process stands by, for screens.
 * @returns the way to withdraw, which never rejects
 */
export function announceStandby(stateDirectory: string, log: Log, everyMs = beatMs): () => Promise<void> {
  const directory = join(stateDirectory, directoryName);
  const path = join(directory, `${randomBytes(8).toString('hex')}.json`);
  const since = new Date().toISOString();
  let beat = 0;
  let isWell = true;
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    try {
      await makeDirectory(directory, 0o700);
      beat += 1;
      await writeFile(path, JSON.stringify({ ...(await describeSelf()), since, beat }), { mode: 0o600 });
      isWell = true;
    } catch (error) {
      if (isWell) log.warn({ why: errorLine(error) }, 'the other worker cannot be told of this standby');
      isWell = false;
    }
  }
  const next = (): void => {
    writing ??= write().finally(() => {
      writing = null;
    });
  };
  next();
  const timer = setInterval(next, everyMs).unref();
  return async () => {
    clearInterval(timer);
    await writing;
    await rm(path, { force: true }).catch(() => undefined);
  };
}

/** The workers that stand by, as far as they give signs of life. */
export interface StandbyWatch {
  list(): readonly StandbyWorker[];
  stop(): void;
}

/**
 * Looks for workers that stand by, every few seconds. A standby counts for as long as its file changes: its clock, and that of
 * the file server, are not asked.
 * @param monotonic milliseconds
 */
export function watchStandbys(
  stateDirectory: string,
  {
    monotonic = () => performance.now(),
    everyMs = beatMs,
  }: { monotonic?: () => number; everyMs?: number } = {},
): StandbyWatch & { look(): Promise<void> } {
  const directory = join(stateDirectory, directoryName);
  const seen = new Map<string, { text: string; worker: StandbyWorker; changedAt: number; beats: number }>();
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const names = await readdir(directory).catch((): string[] => []);
    const found = names.filter((name) => name.endsWith('.json')).slice(0, mostRead);
    for (const name of seen.keys()) if (!found.includes(name)) seen.delete(name);
    for (const name of found) {
      const path = join(directory, name);
      const text = await readFile(path, 'utf8').catch(() => '');
      const owner = parseOwner(text);
      const last = seen.get(name);
      if (last === undefined || (owner !== null && last.text !== text)) {
        const { host, pid, since } = owner ?? { host: hostname(), pid: 0, since: '' };
        const beats = last === undefined ? 0 : last.beats + 1;
        seen.set(name, { text, worker: { host, pid, since }, changedAt: monotonic(), beats });
      } else if (monotonic() - last.changedAt > leftOverMs)
        await rm(path, { force: true }).catch(() => undefined);
    }
  }

  const next = (): void => {
    looking ??= look().finally(() => {
      looking = null;
    });
  };
  next();
  const timer = setInterval(next, everyMs).unref();
  return {
    look,
    list: () =>
      [...seen.values()]
        // one look shows a file, which may be left over; the second one that it changes
        .filter(({ beats, changedAt }) => beats > 0 && monotonic() - changedAt < silentMs)
        .map(({ worker }) => worker),
    stop: () => clearInterval(timer),
  };
}
