import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { programVersion } from '../../base/version.js';
import type { WorkerSnapshot } from '../views/handle.js';
import type { Lease } from './lease.js';
import type { StandbyWorker } from '../open/standby.js';
import { writePeriodically } from './write-periodically.js';

/** Name of the file in the state directory; it exists while a worker runs. */
export const statusFileName = 'worker.status.json';
/** Milliseconds between two updates of the file. */
export const statusEveryMs = 10_000;

/** 0.1.0 wrote `trouble` for each problem; `upgrade --check` reads the file of such a worker. */
function withProblems(file: unknown): unknown {
  const { trouble, jobsTrouble, broker, ...rest } = (file ?? {}) as Record<string, unknown>;
  if (trouble === undefined) return file;
  const { trouble: problem, ...connection } = (broker ?? {}) as Record<string, unknown>;
  return { ...rest, problem: trouble, jobsProblem: jobsTrouble, broker: { ...connection, problem } };
}

const workerStatus = z.preprocess(
  withProblems,
  z.object({
    /** When it was written. */
    at: z.number(),
    /** Version of the worker; null if it is too old to tell. */
    version: z.string().nullable().default(null),
    broker: z.object({
      state: z.enum(['connecting', 'consuming', 'paused', 'disconnected', 'closed']),
      problem: z.string().nullable(),
    }),
    /** When Slurm last answered; null before the first answer. */
    jobsAt: z.number().nullable(),
    jobsProblem: z.string().nullable(),
    /** Runs that are not finished. */
    inFlight: z.number(),
    /** Last error of Girder or of the worker's own files. */
    problem: z.string().nullable(),
    /** Workers that wait to take over. */
    standbys: z
      .array(z.object({ host: z.string(), pid: z.number(), since: z.string() }))
      .readonly()
      .default([]),
  }),
);

/** The status that a running worker publishes for other processes. Contains no secrets. */
export type WorkerStatus = z.infer<typeof workerStatus>;

/** Read when the program starts: the package may be replaced while it runs. */
const runningVersion = programVersion();

/** The status in a snapshot. Pure. */
export function statusOf(
  { health, jobs }: WorkerSnapshot,
  now: number,
  standbys: readonly StandbyWorker[],
): WorkerStatus {
  const { broker, inFlight, problem } = health;
  return {
    at: now,
    version: runningVersion,
    broker: { state: broker.state, problem: broker.problem },
    jobsAt: jobs.at,
    jobsProblem: jobs.problem,
    inFlight,
    problem,
    standbys,
  };
}

/** Parses the file; null if it is not valid. */
export function parseStatus(text: string): WorkerStatus | null {
  try {
    return workerStatus.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * Writes the status at once and every ten seconds, atomically and readable only for this user. A failed write blocks nothing and
 * is logged once.
 * @returns stops this and removes the file; never rejects
 */
export function keepStatusFile(
  directory: string,
  read: () => WorkerStatus,
  log: Log,
  lease: Pick<Lease, 'hold'>,
  everyMs = statusEveryMs,
): () => Promise<void> {
  const path = join(directory, statusFileName);
  const stop = writePeriodically(
    async () => {
      await lease.hold();
      await replaceFile(path, `${JSON.stringify(read())}\n`);
    },
    everyMs,
    (error) => log.warn({ why: errorLine(error) }, 'the status file cannot be written'),
  );
  return async () => {
    await stop();
    // a worker that took over has a file of the same name
    const isHeld = await lease.hold().then(
      () => true,
      () => false,
    );
    if (isHeld) await rm(path, { force: true }).catch(() => undefined);
  };
}
