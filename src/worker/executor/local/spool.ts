import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { makeDirectory } from '../../../base/files/make-directory.js';
import { replaceFile, syncDirectory } from '../../../base/files/replace-file.js';

/**
 * A local job, as stored in its file in the state directory. Every step is saved before it is taken, so a restarted
 * worker finds each job, whether it waits, runs or has ended.
 */
const localJob = z.object({
  /** Digits, as with Slurm. */
  id: z.string().regex(/^\d{1,12}$/),
  key: z.string(),
  /** Working directory. */
  directory: z.string().default('/'),
  /** Milliseconds since the epoch, as all times here. */
  submittedAt: z.number(),
  script: z.string(),
  scriptArgs: z.array(z.string()),
  /** Added to the environment of the script. May contain secrets, as its arguments may: only the owner can read the file. */
  env: z.record(z.string(), z.string()),
  logFile: z.string(),
  stdout: z.string(),
  stderr: z.string(),
  /** Path of the exit record that the script writes. */
  exitRecord: z.string(),
  /** Intent: from this time on a process may exist. */
  startingAt: z.number().nullable(),
  /** The leader of its process group. */
  process: z
    .object({
      pid: z.int().min(2),
      host: z.string(),
      since: z.string(),
      machine: z.string().nullable(),
      born: z.string().nullable(),
    })
    .nullable(),
  cancelAt: z.number().nullable(),
  end: z
    .object({
      at: z.number(),
      state: z.enum(['COMPLETED', 'FAILED', 'CANCELLED']),
      exitCode: z.object({ code: z.number(), signal: z.number() }).nullable(),
      reason: z.string(),
    })
    .nullable(),
});

export type LocalJob = z.infer<typeof localJob>;

/** The stored jobs. */
export interface SpoolContent {
  /** In submission order. */
  jobs: LocalJob[];
  /** Ids of jobs whose files cannot be read; the files are left alone. */
  unreadable: string[];
}

export interface Spool {
  readonly directory: string;
  load(): Promise<SpoolContent>;
  /** Saves a job durably. After a rejection it may be saved or not. */
  save(job: LocalJob): Promise<void>;
  /** Removes a job's file durably. */
  remove(id: string): Promise<void>;
}

/** @param directory in the state directory; created with mode 0700 */
export function createSpool(directory: string): Spool {
  const fileOf = (id: string): string => join(directory, `${id}.json`);

  return {
    directory,
    async load() {
      await makeDirectory(directory, 0o700);
      const jobs: LocalJob[] = [];
      const unreadable: string[] = [];
      for (const name of await readdir(directory)) {
        // left by a worker that was killed while writing
        if (/^\.\d{1,12}\.json\.[0-9a-f]+\.tmp$/.test(name)) await rm(join(directory, name), { force: true });
        const id = /^(\d{1,12})\.json$/.exec(name)?.[1];
        if (id === undefined) continue;
        try {
          const job = localJob.parse(JSON.parse(await readFile(fileOf(id), 'utf8')));
          if (job.id !== id) throw new Error('the file name does not match the job id');
          jobs.push(job);
        } catch {
          unreadable.push(id);
        }
      }
      return { jobs: jobs.sort((a, b) => Number(a.id) - Number(b.id)), unreadable };
    },
    async save(job) {
      await replaceFile(fileOf(job.id), `${JSON.stringify(job)}\n`);
    },
    async remove(id) {
      await rm(fileOf(id), { force: true });
      await syncDirectory(directory);
    },
  };
}
