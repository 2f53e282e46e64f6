import * as z from 'zod';

import { jobSignals } from '../../slurm/commands/change-jobs.js';

/** Runs and jobs at one time; ids beyond that are a mistake. */
const mostTargets = 20_000;

const targets = {
  /** Run ids: what is done is done to their jobs. */
  runs: z.array(z.string()).max(mostTargets),
  /** Slurm's job ids, of jobs that belong to no run here. */
  jobs: z.array(z.string()).max(mostTargets),
};

/** What can be done to runs and jobs, several at once. Plain data: it may come through a socket. */
export const workerAction = z.discriminatedUnion('kind', [
  /** A run without a job yet never gets one; every other job is ended with scancel. Runs end as canceled. */
  z.strictObject({ kind: z.literal('cancel'), ...targets }),
  /** Sends a signal to what runs in the job. What becomes of the run is what becomes of the job. */
  z.strictObject({ kind: z.literal('signal'), ...targets, signal: z.enum(jobSignals) }),
  z.strictObject({ kind: z.literal('hold'), ...targets }),
  z.strictObject({ kind: z.literal('release'), ...targets }),
  z.strictObject({ kind: z.literal('requeue'), ...targets }),
  /** As scontrol takes it: `30`, `04:00:00`, `1-12`, `+30`, `UNLIMITED`. */
  z.strictObject({ kind: z.literal('timeLimit'), ...targets, limit: z.string().max(40) }),
  z.strictObject({ kind: z.literal('priority'), ...targets, priority: z.number() }),
  z.strictObject({ kind: z.literal('nice'), ...targets, nice: z.number() }),
  /** Runs that failed or were canceled are run again, each as one new run with a Girder job of its own. */
  z.strictObject({ kind: z.literal('retry'), ...targets }),
  /** Jobs that belong to no run here get their run back, from a damaged journal that was set aside. */
  z.strictObject({ kind: z.literal('adopt'), ...targets }),
  /** Finished runs leave history and journal. */
  z.strictObject({ kind: z.literal('forget'), ...targets }),
]);

export type WorkerAction = z.infer<typeof workerAction>;
