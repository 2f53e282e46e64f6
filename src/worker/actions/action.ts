import * as z from 'zod';

import { jobSignals } from '../../slurm/commands/change-jobs.js';

/** Maximum number of ids in one action; more would be a mistake. */
const maxTargets = 20_000;

const targets = {
  /** Ids of runs; the action applies to their jobs. */
  runs: z.array(z.string()).max(maxTargets),
  /** Ids of Slurm jobs that belong to no run. */
  jobs: z.array(z.string()).max(maxTargets),
};

/** An action on runs and jobs. Plain data: it can come through the socket. */
export const workerAction = z.discriminatedUnion('kind', [
  /** Cancels jobs with scancel; a run without a job will not get one. Runs end as canceled. */
  z.strictObject({ kind: z.literal('cancel'), ...targets }),
  /** Sends a signal to the processes of the job. The run ends as the job does. */
  z.strictObject({ kind: z.literal('signal'), ...targets, signal: z.enum(jobSignals) }),
  z.strictObject({ kind: z.literal('hold'), ...targets }),
  z.strictObject({ kind: z.literal('release'), ...targets }),
  z.strictObject({ kind: z.literal('requeue'), ...targets }),
  /** As scontrol accepts it: `30`, `04:00:00`, `1-12`, `+30`, `UNLIMITED`. */
  z.strictObject({ kind: z.literal('timeLimit'), ...targets, limit: z.string().max(40) }),
  z.strictObject({ kind: z.literal('priority'), ...targets, priority: z.number() }),
  z.strictObject({ kind: z.literal('nice'), ...targets, nice: z.number() }),
  /** Retries runs that failed or were canceled, each as a new run with its own Girder job. */
  z.strictObject({ kind: z.literal('retry'), ...targets }),
  /** Recovers the runs of jobs that belong to no run from the copy of a damaged journal. */
  z.strictObject({ kind: z.literal('adopt'), ...targets }),
  /** Removes finished runs from history and journal. */
  z.strictObject({ kind: z.literal('forget'), ...targets }),
]);

export type WorkerAction = z.infer<typeof workerAction>;
