import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { describeSelf, parseOwner, type ProcessIdentity } from '../run-state/process-identity.js';
import { writePeriodically } from '../run-state/write-periodically.js';

/** A worker that waits to take over the state directory. */
export type StandbyWorker = Pick<ProcessIdentity, 'host' | 'pid' | 'since'>;

const directoryName = 'worker.standby';
/** Milliseconds between two heartbeats. */
const heartbeatMs = 5_000;
/** Milliseconds without a heartbeat after which a standby counts as gone. */
const silentMs = 4 * heartbeatMs;
/** Milliseconds without a heartbeat after which the file is removed. */
const leftoverMs = 10 * 60_000;
/** Maximum number of files that are read; a site has two or three login nodes. */
const maxRead = 32;

/**
 * Announces this process as a standby to the worker that holds the lock, which shows it on screens.
 * @returns withdraws the announcement; never rejects
 */
export function announceStandby(
  stateDirectory: string,
  log: Log,
  everyMs = heartbeatMs,
): () => Promise<void> {
  const directory = join(stateDirectory, directoryName);
  const path = join(directory, `${randomBytes(8).toString('hex')}.json`);
  const since = new Date().toISOString();
  let beat = 0;
  const stop = writePeriodically(
    async () => {
      await makeDirectory(directory, 0o700);
      beat += 1;
      await writeFile(path, JSON.stringify({ ...(await describeSelf()), since, beat }), { mode: 0o600 });
    },
    everyMs,
    (error) => log.warn({ why: errorLine(error) }, 'this standby cannot be announced to the worker'),
  );
  return async () => {
    await stop();
    await rm(path, { force: true }).catch(() => undefined);
  };
}

/** The standbys that send heartbeats. */
export interface StandbyWatch {
  list(): readonly StandbyWorker[];
  stop(): void;
}

/**
 * Checks for standbys every few seconds. A standby counts as alive while its file changes, which needs neither its clock nor that
 * of the file server.
 * @param monotonic milliseconds
 */
export function watchStandbys(
  stateDirectory: string,
  {
    monotonic = () => performance.now(),
    everyMs = heartbeatMs,
  }: { monotonic?: () => number; everyMs?: number } = {},
): StandbyWatch & { check(): Promise<void> } {
  const directory = join(stateDirectory, directoryName);
  const seen = new Map<string, { text: string; worker: StandbyWorker; changedAt: number; beats: number }>();
  let checking: Promise<void> | null = null;

  async function check(): Promise<void> {
    const names = await readdir(directory).catch((): string[] => []);
    const found = names.filter((name) => name.endsWith('.json')).slice(0, maxRead);
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
      } else if (monotonic() - last.changedAt > leftoverMs)
        await rm(path, { force: true }).catch(() => undefined);
    }
  }

  const next = (): void => {
    checking ??= check().finally(() => {
      checking = null;
    });
  };
  next();
  const timer = setInterval(next, everyMs).unref();
  return {
    check,
    list: () =>
      [...seen.values()]
        // a file that was seen only once can be a leftover
        .filter(({ beats, changedAt }) => beats > 0 && monotonic() - changedAt < silentMs)
        .map(({ worker }) => worker),
    stop: () => clearInterval(timer),
  };
}
