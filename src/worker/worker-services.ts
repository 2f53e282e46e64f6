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
import type { SubmitGate } from './stages/submit-gate.js';
import type { SubmitScript } from './job-request/submit-script.js';

/** What the stages work with; made once, in worker.ts. */
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
  /** What no container may see: state, logs, profiles. */
  readonly privateDirectories: readonly string[];
  /** Girder's own settings for Slurm jobs. */
  readonly girderSlurm: GirderSlurmLoader;
  readonly searchGirderJob: GirderJobSearch;
  readonly findUser: UserSearch;
  /** Opens the reporter of a run's Girder job; one that reports to nobody if the task names none. */
  openGirderJob(run: Run): Promise<GirderJob>;
  /** How a run reaches Girder: shared connections, and the addresses that its message carries made reachable. */
  girderSetup(run: Run): GirderSetup;
  /** How long a run waits for its inputs and outputs when Girder is away or ill. */
  transferPatience(run: Run): Patience;
  /** Writes down that a run is to be canceled, and aborts its signal. False if it has finished. */
  requestCancel(id: string, by: CancelSource): Promise<boolean>;
  /** Keeps messages of runs that may be run again. */
  readonly messages: Pick<RetryMessages, 'keep'>;
  publishResult(task: ResultTask, result: TaskResult): Promise<void>;
  /** Publishes a task of our own, and waits for the broker as long as that takes. */
  publish(message: OutgoingMessage, signal: AbortSignal): Promise<void>;
  /** Repeats submissions that are refused for the time being. */
  readonly submitGate: SubmitGate;
  /** How many runs are in each of these at one time. */
  readonly lanes: {
    readonly submitting: PQueue;
    /** Downloads and uploads: so many for each Girder. */
    readonly staging: KeyedLimiter;
    readonly collecting: KeyedLimiter;
    readonly ingesting: PQueue;
  };
  /** Aborts when the worker stops. Runs are then left as the journal has them. */
  readonly stopping: AbortSignal;
}

/** What a stage gets of the run that it works on. */
export interface StageContext {
  readonly id: string;
  readonly girderJob: GirderJob;
  /** Aborts when the worker stops and when the run is to be canceled. */
  readonly signal: AbortSignal;
  /** Aborts when the worker stops: for what a cancel must not interrupt half-way. */
  readonly stopping: AbortSignal;
}
