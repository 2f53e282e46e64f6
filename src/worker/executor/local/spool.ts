import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { makeDirectory } from '../../../base/make-directory.js';
import { replaceFile, syncDirectory } from '../../../base/replace-file.js';

/**
 * A job of this host, as its file in the state directory has it. The file says what is to be done before it is done, so
 * that a worker that is started again finds every job: waiting, running without a parent, or ended meanwhile.
 */
const localJob = z.object({
  /** Digits, as with Slurm. */
  id: z.string().regex(/^\d{1,12}$/),
  key: z.string(),
  /** Where it runs. */
  directory: z.string().default('/'),
  /** Milliseconds since the epoch, as all times here. */
  submittedAt: z.number(),
  script: z.string(),
  scriptArgs: z.array(z.string()),
  /** Added to the environment of the script. May hold secrets, as its arguments may: the file is for its owner only. */
  env: z.record(z.string(), z.string()),
  logFile: z.string(),
  stdout: z.string(),
  stderr: z.string(),
  /** Where the script tells how it ended. */
  exitRecord: z.string(),
  /** Intent: from here on there may be a process. */
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

/** What is there of earlier workers. */
export interface SpoolContent {
  /** In the order in which they came. */
  jobs: LocalJob[];
  /** Ids of jobs whose files cannot be read; the files are left alone. */
  unreadable: string[];
}

export interface Spool {
  readonly directory: string;
  load(): Promise<SpoolContent>;
  /** Writes a job as it is now; it is on the disk when this resolves. After a rejection it may be or not. */
  save(job: LocalJob): Promise<void>;
  /** Takes a job's file away; that is on the disk when this resolves. */
  remove(id: string): Promise<void>;
}

/** @param directory in the state directory; made for its owner only */
export function createSpool(directory: string): Spool {
  const fileOf = (id: string): string => join(directory, `${id}.json`);

  return {
    directory,
    async load() {
      await makeDirectory(directory, 0o700);
      const jobs: LocalJob[] = [];
      const strange: string[] = [];
      for (const name of await readdir(directory)) {
        // left by a worker that was killed while it wrote
        if (/^\.\d{1,12}\.json\.[0-9a-f]+\.tmp$/.test(name)) await rm(join(directory, name), { force: true });
        const id = /^(\d{1,12})\.json$/.exec(name)?.[1];
        if (id === undefined) continue;
        try {
          const job = localJob.parse(JSON.parse(await readFile(fileOf(id), 'utf8')));
          if (job.id !== id) throw new Error('a file of another name');
          jobs.push(job);
        } catch {
          strange.push(id);
        }
      }
      return { jobs: jobs.sort((a, b) => Number(a.id) - Number(b.id)), unreadable: strange };
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
