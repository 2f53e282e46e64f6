import type PQueue from 'p-queue';

import type { ImageIngest } from '../apptainer/ingest.js';
import type { Apptainer } from '../apptainer/inspect.js';
import type { Clock } from '../base/clock.js';
import type { KeyedLimiter } from '../base/keyed-limiter.js';
import type { Log } from '../base/log.js';
import type { OutgoingMessage } from '../celery/broker.js';
import type { ResultTask } from '../celery/messages/results.js';
import type { TaskResult } from '../celery/messages/task.js';
import type { Settings } from '../config/schema.js';
import type { GirderSetup } from '../girder/api/client.js';
import type { GirderJob } from '../girder/jobs/job.js';
import type { Patience } from '../girder/api/patience.js';
import type { RunStore } from './run-state/run-store.js';
import type { Executor } from './executor/executor.js';
import type { UserSearch } from './reporting/find-user.js';
import type { GirderJobSearch } from './reporting/girder-job-search.js';
import type { GirderSlurmLoader } from './job-request/girder-slurm-loader.js';
import type { RetryMessages } from './run-state/retry-messages.js';
import type { CancelSource, Run } from './run-state/run.js';
import type { Preparation } from './stages/preparation.js';
import type { SubmitGate } from './stages/submit-gate.js';
import type { SubmitScript } from './job-request/submit-script.js';

/** The dependencies of the stages; created once, in worker.ts. */
export interface WorkerServices {
  readonly settings: Settings;
  readonly runStore: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs the jobs. */
  readonly executor: Executor;
  readonly apptainer: Apptainer;
  readonly imageIngest: ImageIngest;
  readonly submitScript: SubmitScript;
  /** Directories that no container may see: state, logs, profiles. */
  readonly privateDirectories: readonly string[];
  /** Girder's own settings for Slurm jobs. */
  readonly girderSlurm: GirderSlurmLoader;
  readonly searchGirderJob: GirderJobSearch;
  readonly findUser: UserSearch;
  /** Opens the reporter of a run's Girder job; a silent one if the task names none. */
  openGirderJob(run: Run): Promise<GirderJob>;
  /** How a run reaches Girder: shared connections, and the mapping of the addresses in its message. */
  girderSetup(run: Run): GirderSetup;
  /** How long a run retries transfers while Girder is down or fails. */
  transferPatience(run: Run): Patience;
  /** See `RunScheduler.requestCancel`. */
  requestCancel(id: string, by: CancelSource): Promise<boolean>;
  /** Keeps the messages of runs that may be retried. */
  readonly messages: Pick<RetryMessages, 'keep'>;
  publishResult(task: ResultTask, result: TaskResult): Promise<void>;
  /** Publishes a task; waits until the broker confirms it. */
  publish(message: OutgoingMessage, signal: AbortSignal): Promise<void>;
  readonly preparation: Preparation;
  /** Retries submissions that Slurm refuses temporarily. */
  readonly submitGate: SubmitGate;
  /** Concurrency limits of the stages. */
  readonly lanes: {
    readonly submitting: PQueue;
    /** Transfers are limited per Girder. */
    readonly staging: KeyedLimiter;
    readonly collecting: KeyedLimiter;
    readonly ingesting: PQueue;
  };
  /** Aborts when the worker stops. Runs stay as they are journaled. */
  readonly stopping: AbortSignal;
}

/** The dependencies of one stage: it names those that it uses, so that its tests need no others. */
export type Services<K extends keyof WorkerServices> = Pick<WorkerServices, K>;

/** The run that a stage works on. */
export interface StageContext {
  readonly id: string;
  readonly girderJob: GirderJob;
  /** Aborts when the worker stops or the run is canceled. */
  readonly signal: AbortSignal;
  /** Aborts when the worker stops: for work that a cancel must not interrupt. */
  readonly stopping: AbortSignal;
}
