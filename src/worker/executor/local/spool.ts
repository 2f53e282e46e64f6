import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { makeDirectory } from '../../../base/make-directory.js';

/**
 * A job of this host, as its file in the state directory has it. The file says what is to be done before it is done, so
 * that a worker that is started again finds every job: waiting, running without a parent, or ended meanwhile.
 */
const localJob = z.object({
  /** Digits, as with Slurm. */
  id: z.string().regex(/^\d{1,12}$/),
  key: z.string(),
  /** Milliseconds since the epoch, as all times here. */
  submittedAt: z.number(),
  script: z.string(),
  scriptArgs: z.array(z.string()),
  /** Added to the environment of the script. May hold secrets: the file is for its owner only. */
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

export interface Spool {
  /** Jobs of earlier workers. Files that are none of ours are left alone and counted. */
  load(): Promise<{ jobs: LocalJob[]; strange: number }>;
  /** Writes a job as it is now; it is on the disk when this resolves. */
  save(job: LocalJob): Promise<void>;
  remove(id: string): Promise<void>;
}

/** @param directory in the state directory; made for its owner only */
export function createSpool(directory: string): Spool {
  const fileOf = (id: string): string => join(directory, `${id}.json`);

  return {
    async load() {
      await makeDirectory(directory, 0o700);
      const jobs: LocalJob[] = [];
      let strange = 0;
      for (const name of await readdir(directory)) {
        if (!/^\d{1,12}\.json$/.test(name)) continue;
        try {
          jobs.push(localJob.parse(JSON.parse(await readFile(join(directory, name), 'utf8'))));
        } catch {
          strange += 1;
        }
      }
      return { jobs: jobs.sort((a, b) => Number(a.id) - Number(b.id)), strange };
    },
    async save(job) {
      const path = fileOf(job.id);
      const fresh = `${path}.new`;
      const file = await open(fresh, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(job)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, path);
      const parent = await open(directory, 'r');
      try {
        await parent.sync();
      } finally {
        await parent.close();
      }
    },
    async remove(id) {
      await rm(fileOf(id), { force: true });
    },
  };
}
