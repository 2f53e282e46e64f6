import type { JobChange } from '../../slurm/commands/change-jobs.js';
import type { NodeChange } from '../../slurm/commands/change-nodes.js';
import type { ClusterAnswer } from '../../slurm/commands/sinfo.js';
import type { CommandOutcome } from '../../slurm/commands/batch-command.js';
import type { JobRecords } from '../../slurm/job-records.js';
import type { JobRow } from '../../slurm/job.js';
import type { FoundJob, JobQuestion } from '../../slurm/find-job.js';
import type { AccountedHistory } from '../../slurm/commands/sacct.js';
import type { SchedulerAnswer } from '../../slurm/commands/sdiag.js';
import type { RefusalCause } from '../../slurm/refusals.js';
import type { JobEnd } from '../../slurm/job-end.js';
import type { BatchScriptAnswer, JobDetailsAnswer } from '../../slurm/commands/scontrol.js';
import type { JobState } from '../../slurm/states.js';
import type { Submission, SubmitResult } from '../../slurm/commands/sbatch.js';
import type { Tracker } from '../../slurm/tracker.js';

/** Messages about a job for the owner of the slide. */
export interface OwnerMessages {
  /** Why it waits, and its expected start. */
  waits(row: Pick<JobRow, 'state' | 'reason' | 'expectedStart'>): string;
  state(state: JobState): string;
  /** Why the job was not accepted yet. */
  refused(cause: RefusalCause): string;
}

/** A job to submit. */
export interface JobRequest extends Submission {
  /** Working directory of sbatch, and so of the job: an empty directory of the run. */
  directory: string;
  /** Added to the environment of the batch script; `undefined` removes a name. */
  env: Readonly<Record<string, string | undefined>>;
}

/** A job whose end is unknown, and where its exit record may be. */
export interface EndedJob {
  jobId: string;
  /** See `runKey`: distinguishes the run's job from a later one with the same id. */
  key: string;
  /** Path of the file that the batch script writes when the container has ended. */
  exitRecord: string;
  /** See `EndQuestion.trustRecord`. */
  trustRecord: boolean;
}

/**
 * Runs the worker's jobs, which outlive the worker: after a restart it finds them again. Job states are Slurm's.
 *
 * Methods do not throw on external failures: a missing answer is returned as such, and never taken for an answer.
 */
export interface Executor {
  /** What messages call a job: `Slurm job`. */
  readonly jobNoun: string;
  /** Name of the executor at the start of a sentence. */
  readonly name: string;
  readonly owner: OwnerMessages;
  /** The command that cancels jobs, as shown to the operator. */
  readonly cancelCommand: string;
  /** Where the tracker's rows come from. */
  readonly stateSource: 'squeue' | 'host';
  /** The last answer about all jobs. */
  readonly tracker: Tracker;
  /** What the batch scripts of its jobs have written. */
  readonly records: JobRecords;
  /**
   * Submits a job once. `unclear` means that a job may exist: call `find` before submitting again.
   */
  submit(request: JobRequest): Promise<SubmitResult>;
  /** Looks a run's job up by its key. */
  find(question: JobQuestion): Promise<FoundJob>;
  /**
   * A job may become visible up to this many milliseconds after an unclear `submit`: believe `find` only after it has
   * returned `none` twice, this far apart.
   */
  readonly visibilityDelayMs: number;
  /** Cancels jobs. Succeeds for jobs that have ended, and may be repeated. */
  cancel(jobIds: readonly string[]): Promise<CommandOutcome>;
  /** See `Canceler.canceledAt`. */
  canceledAt(jobId: string): number | null;
  /** See `Canceler.cancelSettled`. */
  cancelSettled(jobId: string): Promise<void>;
  /** Finds out how a job ended if the tracker does not show it, or its row does not tell. */
  resolveEnd(job: EndedJob): Promise<JobEnd>;
  /** Holds, releases or otherwise changes jobs. @throws DsaSlurmError `usage` for an invalid value */
  change(change: JobChange, jobIds: readonly string[]): Promise<CommandOutcome>;
  /** Drains or resumes nodes. @throws DsaSlurmError `usage` for an invalid name or reason */
  changeNodes(change: NodeChange, nodes: readonly string[]): Promise<CommandOutcome>;
  /** All details of one job, for screens. */
  describe(jobId: string): Promise<JobDetailsAnswer>;
  /** The batch script of a job. */
  batchScript(jobId: string): Promise<BatchScriptAnswer>;
  /** Nodes and partitions. */
  cluster(): Promise<ClusterAnswer>;
  /** The statistics of Slurm's controller. */
  schedulerStatistics(): Promise<SchedulerAnswer>;
  /** This user's jobs since a time, as the accounting database knows them. */
  accountedJobs(since: number): Promise<AccountedHistory>;
}
