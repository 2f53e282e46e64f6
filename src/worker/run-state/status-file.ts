import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { replaceFile } from '../../base/replace-file.js';
import type { WorkerSnapshot } from '../views/handle.js';
import type { Lease } from './lease.js';
import type { StandbyWorker } from '../open/standby.js';

/** In the state directory, as long as a worker runs. */
export const statusFileName = 'worker.status.json';
/** Milliseconds between two versions of the file. */
export const statusEveryMs = 10_000;

const workerStatus = z.object({
  /** When this was so. */
  at: z.number(),
  broker: z.object({
    state: z.enum(['connecting', 'consuming', 'paused', 'disconnected', 'closed']),
    trouble: z.string().nullable(),
  }),
  /** When Slurm last answered; null before the first answer. */
  jobsAt: z.number().nullable(),
  jobsTrouble: z.string().nullable(),
  /** Runs that are not finished. */
  inFlight: z.number(),
  /** Last trouble with Girder or with our own files. */
  trouble: z.string().nullable(),
  /** Workers that wait to take over. */
  standbys: z
    .array(z.object({ host: z.string(), pid: z.number(), since: z.string() }))
    .readonly()
    .default([]),
});

/** What a running worker says of itself to other processes: sentences and numbers, no secret. */
export type WorkerStatus = z.infer<typeof workerStatus>;

/** The part of a snapshot that goes into the file. Pure. */
export function statusOf(
  { health, jobs }: WorkerSnapshot,
  now: number,
  standbys: readonly StandbyWorker[],
): WorkerStatus {
  const { broker, inFlight, trouble } = health;
  return {
    at: now,
    broker: { state: broker.state, trouble: broker.trouble },
    jobsAt: jobs.at,
    jobsTrouble: jobs.trouble,
    inFlight,
    trouble,
    standbys,
  };
}

/** Reads the file's text; null if it is none of ours. */
export function parseStatus(text: string): WorkerStatus | null {
  try {
    return workerStatus.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * Writes the status at once and every ten seconds, each time as a whole and for this user alone. A file that cannot be
 * written holds up nobody; the log says it once.
 * @returns the way to stop, which removes the file. It never rejects.
 */
export function keepStatusFile(
  directory: string,
  read: () => WorkerStatus,
  log: Log,
  lease: Pick<Lease, 'hold'>,
  everyMs = statusEveryMs,
): () => Promise<void> {
  const path = join(directory, statusFileName);
  let isWell = true;
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    try {
      await lease.hold();
      await replaceFile(path, `${JSON.stringify(read())}\n`);
      isWell = true;
    } catch (error) {
      if (isWell) log.warn({ why: errorLine(error) }, 'the status file cannot be written');
      isWell = false;
    }
  }
  const next = (): void => {
    // on a file system that hangs, one attempt at a time is enough
    writing ??= write().finally(() => {
      writing = null;
    });
  };

  next();
  const timer = setInterval(next, everyMs).unref();
  return async () => {
    clearInterval(timer);
    await writing;
    // whoever has taken over has files of the same names
    const isOurs = await lease.hold().then(
      () => true,
      () => false,
    );
    if (!isOurs) return;
    await rm(path, { force: true }).catch(() => undefined);
  };
}
