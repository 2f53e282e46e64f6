import type { JobChange } from '../../slurm/commands/change-jobs.js';
import type { ClusterAnswer } from '../../slurm/commands/sinfo.js';
import type { CommandOutcome } from '../../slurm/commands/batch-command.js';
import type { JobRow } from '../../slurm/job.js';
import type { FoundJob, JobQuestion } from '../../slurm/find-job.js';
import type { RefusalCause } from '../../slurm/refusals.js';
import type { JobEnd } from '../../slurm/job-end.js';
import type { JobDetailsAnswer } from '../../slurm/commands/scontrol.js';
import type { JobState } from '../../slurm/states.js';
import type { Submission, SubmitResult } from '../../slurm/commands/sbatch.js';
import type { Tracker } from '../../slurm/tracker.js';

/** What the owner of the slide reads of a job. */
export interface OwnerMessages {
  /** Why it waits, and until when. */
  waits(row: Pick<JobRow, 'state' | 'reason' | 'expectedStart'>): string;
  state(state: JobState): string;
  /** Why it is not accepted yet. */
  refused(cause: RefusalCause): string;
}

/** A job as it is handed over. */
export interface JobRequest extends Submission {
  /** Where it is handed over, and so where it runs: an empty directory of the run. */
  directory: string;
  /** Added to the environment of the batch script; `undefined` removes a name. */
  env: Readonly<Record<string, string | undefined>>;
}

/** Which job is meant, and where its last witness may lie. */
export interface EndedJob {
  jobId: string;
  /** See `runKey`: tells our job from a later one of the same id. */
  key: string;
  /** Path of the file that the batch script writes when the container has ended. */
  exitRecord: string;
  /** See `EndQuestion.trustRecord`. */
  trustRecord: boolean;
}

/**
 * What the worker needs of whoever runs its jobs. Jobs live longer than the worker: one that starts finds those of the
 * one before it. The words for what becomes of a job are Slurm's.
 *
 * Nothing here throws for what the outside does: an answer that did not come is data, and never an answer.
 */
export interface Executor {
  /** What a job is called in words for people: `Slurm job`. */
  readonly jobNoun: string;
  /** Who runs the jobs, where it begins a sentence. */
  readonly name: string;
  readonly owner: OwnerMessages;
  /** With what jobs are canceled, as the operator is told. */
  readonly cancelCommand: string;
  /** Whose word the tracker's rows are. */
  readonly stateSource: 'squeue' | 'host';
  /** The last answer about all jobs. */
  readonly tracker: Tracker;
  /**
   * Hands a job over, once. `unclear` means that there may be one: it is looked for with `find`, never handed over again
   * before that.
   */
  submit(request: JobRequest): Promise<SubmitResult>;
  /** Looks a run's job up by its key. */
  find(question: JobQuestion): Promise<FoundJob>;
  /**
   * For so many milliseconds after an unclear `submit`, `find` may still not see the job that comes of it: what is not
   * there now has to be not there that much later before it is believed.
   */
  readonly visibilityDelayMs: number;
  /** Cancels jobs. One that is over already is no error, and canceling again does no harm. */
  cancel(jobIds: readonly string[]): Promise<CommandOutcome>;
  /** See `Canceler.canceledAt`. */
  canceledAt(jobId: string): number | null;
  /** Finds out how a job ended that the tracker does not show, or whose row leaves it open. */
  resolveEnd(job: EndedJob): Promise<JobEnd>;
  /** Does something else to jobs. @throws DsaSlurmError `usage` for a value that is none */
  change(change: JobChange, jobIds: readonly string[]): Promise<CommandOutcome>;
  /** Everything that is known of one job, for screens. */
  describe(jobId: string): Promise<JobDetailsAnswer>;
  /** Nodes and partitions. */
  cluster(): Promise<ClusterAnswer>;
}
