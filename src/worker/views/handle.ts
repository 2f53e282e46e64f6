import type { BrokerStatus } from '../../celery/broker.js';
import type { JobRow } from '../../slurm/job.js';
import type { WorkerAction } from '../actions/action.js';
import type { Outcome, Stage } from '../run-state/run.js';
import type { ImageDetail, JobDetail, RunDetailAnswer, LiveViews } from './live-views.js';

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
  /** The job, once there is one. */
  jobId: string | null;
  /** 0..1, where the CLI reports it. */
  progress: number | null;
  progressMessage: string | null;
  /** Why it failed, was canceled, or waits: one sentence. */
  reason: string | null;
  cancelRequested: boolean;
}

/** How old an answer is that is kept until the next one. */
export interface Freshness {
  /** When the last good answer came; null before the first. What it said stays while the next ones fail. */
  at: number | null;
  /** Why the last question went unanswered; null while all is well. */
  trouble: string | null;
}

/** One answer of Slurm to the tracker's question. */
export interface JobsView extends Freshness {
  rows: readonly JobRow[];
}

export interface WorkerHealth {
  startedAt: number;
  broker: BrokerStatus;
  /**
   * `draining`: nothing more is taken, until the intake is resumed. `blocked`: the journal cannot be written
   * or Slurm accepts no jobs, and `trouble` says why.
   */
  intake: 'open' | 'paused' | 'full' | 'draining' | 'blocked';
  /** While it drains: since when nothing has been in flight any more; null while something is. */
  drainedAt: number | null;
  /** Runs that are not finished, and the limit on them. */
  inFlight: number;
  inFlightLimit: number;
  finished: { succeeded: number; failed: number; canceled: number };
  /** Last trouble with Girder, Slurm or our own files, in words; null while all is well. */
  trouble: string | null;
}

/** Where the worker is from here, and how old what it said is. */
export type Link =
  | { kind: 'inside' }
  /**
   * None is attached to: what is shown is the journal that the last one left, and what Slurm says. `trouble`: why the one
   * that runs cannot be; null where none runs.
   */
  | { kind: 'none'; trouble: string | null }
  /** `at`: when anything was heard of it last. `trouble`: why nothing is heard at present. */
  | { kind: 'socket'; path: string; pid: number; at: number; trouble: string | null };

/** Everything that can be seen of a worker at one moment. Unchanged parts keep their identity between snapshots. */
export interface WorkerSnapshot {
  profile: string;
  /** Who runs the jobs: Slurm, or this worker's own host. */
  executor: 'slurm' | 'local';
  link: Link;
  health: WorkerHealth;
  runs: readonly RunView[];
  jobs: JobsView;
}

/** The file that a log is in. */
export interface LogFile {
  /** Null while it is not known: there is no job yet. */
  path: string | null;
  bytes: number;
  /** Bytes at its beginning that are not in the tail because only its end is read. */
  from: number;
  isMissing: boolean;
  /** Why nothing can be read; null while all is well. */
  trouble: string | null;
}

/** Lines of a log. `lost` counts lines that were dropped because the buffer is bounded. */
export interface LogTail {
  lines: readonly string[];
  lost: number;
  /** When each of them was seen to come; null for what was there before somebody looked. */
  times?: readonly (number | null)[];
  file?: LogFile;
}

/** What a command answered, in its own words. */
export type CommandAnswer = {
  ok: boolean;
  said: string;
  /** Runs that it has made. */
  runs?: readonly string[];
};

/**
 * What holds a worker: a screen cannot tell whether the worker lives in its own process or at the other end of a
 * socket. No call of it throws: what a worker refuses, or cannot be asked at present, is an answer.
 */
export interface WorkerHandle {
  snapshot(): WorkerSnapshot;
  /** Calls `listener` after each change, at most a few times a second. Returns the way to stop. */
  subscribe(listener: () => void): () => void;
  /**
   * Asks for something that is not in the snapshot, at once and then again and again for as long as somebody listens.
   * `listener` gets the present view first, which may be of the last time that it was asked for.
   * @returns the way to stop
   */
  watch<K extends keyof LiveViews>(what: K, listener: (view: LiveViews[K]) => void): () => void;
  /**
   * Follows a log from its last lines on; `listener` gets the whole bounded tail each time.
   * @param of a run's id, or `job:` and the id of a Slurm job, of which the standard output is followed
   */
  followLog(of: string, listener: (tail: LogTail) => void): () => void;
  /** Everything about one run. */
  runDetail(runId: string): Promise<RunDetailAnswer>;
  /** Everything that Slurm says of one job: one question each time. */
  jobDetail(jobId: string): Promise<JobDetail>;
  /** What an image file of `dirs.images` says of itself. @param file its name, as in `Watched['images']` */
  imageDetail(file: string): Promise<ImageDetail>;
  /** Does something to runs and jobs. The answer is the command's own words. */
  act(action: WorkerAction): Promise<CommandAnswer>;
  /** Takes nothing more until `resume`; what is in flight goes on. */
  pause(): Promise<CommandAnswer>;
  resume(): Promise<CommandAnswer>;
  /**
   * Asks Slurm more often or less, within the site's budget. Absent where the worker is not this process's own: others look
   * at it, too.
   */
  pace?(change: 'more' | 'less'): Promise<CommandAnswer>;
  /** As `pause`, and `health.drainedAt` tells when nothing is in flight any more. */
  drain(): Promise<CommandAnswer>;
}
