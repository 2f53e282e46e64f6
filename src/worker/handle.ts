import type { BrokerStatus } from '../celery/broker.js';
import type { JobRow } from '../slurm/job.js';
import type { Outcome, Stage } from './run.js';

/** A run as a screen shows it. Free of secrets. */
export interface RunView {
  /** The Celery task id. */
  id: string;
  stage: Stage;
  outcome: Outcome | null;
  /** Since when it is in this stage. */
  stageSince: number;
  acceptedAt: number;
  finishedAt: number | null;
  /** `example/small:v1`; empty while unknown. */
  image: string;
  /** The CLI's name, the first container argument; empty while unknown. */
  cli: string;
  /** The Girder job's title and the login of its owner, where known. */
  title: string | null;
  user: string | null;
  girderJobId: string | null;
  /** The Slurm job, once there is one. */
  jobId: string | null;
  /** 0..1, where the CLI reports it. */
  progress: number | null;
  progressMessage: string | null;
  /** Why it failed, was canceled, or waits: one sentence. */
  reason: string | null;
  cancelRequested: boolean;
}

/** One answer of Slurm to the tracker's question, and how old it is. */
export interface JobsView {
  /** Rows of the last good answer; they stay while Slurm is silent. */
  rows: readonly JobRow[];
  /** When that answer came; null before the first. */
  at: number | null;
  /** Why the last question went unanswered; null while all is well. */
  trouble: string | null;
}

export interface WorkerHealth {
  startedAt: number;
  broker: BrokerStatus;
  intake: 'open' | 'paused' | 'full' | 'draining';
  /** Runs that are not finished, and the limit on them. */
  inFlight: number;
  inFlightLimit: number;
  finished: { succeeded: number; failed: number; canceled: number };
  /** Last trouble with Girder or with our own files, in words; null while all is well. */
  trouble: string | null;
}

/** Everything that can be seen of a worker at one moment. Unchanged parts keep their identity between snapshots. */
export interface WorkerSnapshot {
  profile: string;
  health: WorkerHealth;
  runs: readonly RunView[];
  jobs: JobsView;
}

/** Lines of a run's log. `lost` counts lines that were dropped because the buffer is bounded. */
export interface LogTail {
  lines: readonly string[];
  lost: number;
}

export type CommandAnswer = { ok: true; said: string } | { ok: false; said: string };

/**
 * What holds a worker: a screen cannot tell whether the worker lives in its own process or at the other end of a
 * socket.
 */
export interface WorkerHandle {
  snapshot(): WorkerSnapshot;
  /** Calls `listener` after each change, at most a few times a second. Returns the way to stop. */
  subscribe(listener: () => void): () => void;
  /** Follows the Slurm log of a run from its last lines on; `listener` gets the whole bounded tail each time. */
  followLog(runId: string, listener: (tail: LogTail) => void): () => void;
  /** Cancels a run: scancel if it has a job, else before it gets one. The answer is the command's own words. */
  cancelRun(runId: string): Promise<CommandAnswer>;
  /** scancel for a job that belongs to no run here. */
  cancelJob(jobId: string): Promise<CommandAnswer>;
  pause(): Promise<void>;
  resume(): Promise<void>;
}
