import { basename, join } from 'node:path';

import type { Clock } from '../base/clock.js';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { readdir } from '../base/files/network-fs.js';
import {
  beginRecordFile,
  exitRecordFile,
  readBeginRecord,
  readExitRecord,
  recordName,
  type ExitRecord,
} from './exit-record.js';

/** What the batch script of a job has written. */
export type JobRecord =
  | { kind: 'begin'; jobId: string }
  /** The container has ended. */
  | { kind: 'exit'; record: ExitRecord };

/**
 * Watches the records that batch scripts write when their container begins and ends. Slurm is asked far less often, so this is
 * how the worker learns of both within a second. On a network file system a record may show late or never: Slurm's answers
 * tell the same.
 */
export interface JobRecords {
  /**
   * Calls `listener` for each record of the key that appears, and for one that is already there.
   * @param key see `runKey`
   * @returns ends this
   */
  watch(key: string, listener: (record: JobRecord) => void): () => void;
}

/** The jobs whose begin records were seen. */
export interface BegunJobs {
  /** The key of a watched job, and when its begin record was seen on the monotonic clock; null if it was not. */
  begun(jobId: string): { key: string; at: number } | null;
}

export interface JobRecordsOptions {
  /** Where the records are; null if it is unknown. */
  directory: string | null;
  clock: Pick<Clock, 'sleep' | 'monotonic'>;
  log: Log;
}

const lookEveryMs = 1_000;

/** Reads the directory once a second while any key is watched: one call, however many jobs there are. */
export function createJobRecords({ directory, clock, log }: JobRecordsOptions): JobRecords & BegunJobs {
  const listeners = new Map<string, (record: JobRecord) => void>();
  /** Names of records that listeners have received. */
  const known = new Set<string>();
  const begun = new Map<string, { key: string; at: number }>();
  let isLooking = false;
  let problem: string | null = null;

  async function look(where: string): Promise<void> {
    const present = new Set<string>();
    const unknown: { name: string; key: string; kind: JobRecord['kind'] }[] = [];
    for (const { name } of await readdir(where)) {
      const parts = recordName(name);
      if (parts === null || !listeners.has(parts.key)) continue;
      present.add(name);
      if (!known.has(name)) unknown.push({ name, ...parts });
    }
    // a requeued job removes the exit record of its earlier attempt
    for (const name of known) if (!present.has(name)) known.delete(name);
    await Promise.all(
      unknown.map(async ({ name, key, kind }) => {
        const record = await readRecord(join(where, name), kind);
        const listener = listeners.get(key);
        // one that cannot be read yet is read at the next look
        if (record === null || listener === undefined) return;
        known.add(name);
        if (record.kind === 'begin') begun.set(record.jobId, { key, at: clock.monotonic() });
        listener(record);
      }),
    );
  }

  async function keepLooking(where: string): Promise<void> {
    while (listeners.size > 0) {
      try {
        await look(where);
        problem = null;
      } catch (error) {
        const why = errorLine(error);
        if (why !== problem)
          log.warn({ why }, 'could not look for the records of jobs; Slurm is asked instead');
        problem = why;
      }
      await clock.sleep(lookEveryMs);
    }
    isLooking = false;
  }

  return {
    watch(key, listener) {
      listeners.set(key, listener);
      const exit = basename(exitRecordFile('', key));
      known.delete(exit);
      known.delete(beginRecordFile(exit));
      if (directory !== null && !isLooking) {
        isLooking = true;
        void keepLooking(directory);
      }
      return () => {
        if (listeners.get(key) !== listener) return;
        listeners.delete(key);
        for (const [jobId, job] of begun) if (job.key === key) begun.delete(jobId);
      };
    },
    begun: (jobId) => begun.get(jobId) ?? null,
  };
}

async function readRecord(path: string, kind: JobRecord['kind']): Promise<JobRecord | null> {
  if (kind === 'begin') {
    const jobId = await readBeginRecord(path);
    return jobId === null ? null : { kind, jobId };
  }
  const record = await readExitRecord(path);
  return record === null ? null : { kind, record };
}
