import type { BrokerStatus } from '../../celery/broker.js';
import type { NodeChange } from '../../slurm/commands/change-nodes.js';
import type { JobRow } from '../../slurm/job.js';
import type { WorkerAction } from '../actions/action.js';
import type { Outcome, Stage } from '../run-state/run.js';
import type { ImageDetail, JobDetail, JobScript, RunDetailAnswer, LiveViews } from './live-views.js';

/** A run as screens show it. Contains no secrets. */
export interface RunView {
  /** The Celery task id. */
  id: string;
  stage: Stage;
  outcome: Outcome | null;
  /** When it entered this stage. */
  stageSince: number;
  acceptedAt: number;
  finishedAt: number | null;
  /** `example/small:v1`; empty while unknown. */
  image: string;
  /** The CLI's name, the first container argument; empty while unknown. */
  cli: string;
  /** The Girder job's title and its owner's login, if known. */
  title: string | null;
  user: string | null;
  girderJobId: string | null;
  /** Id of the job; null before there is one. */
  jobId: string | null;
  /** 0 to 1 if the CLI reports it. */
  progress: number | null;
  progressMessage: string | null;
  /** Why it failed, was canceled, or waits. */
  reason: string | null;
  cancelRequested: boolean;
}

/** Age of the last answer, which is kept until the next one. */
export interface Freshness {
  /** Time of the last successful answer, which stays while later ones fail; null before the first. */
  at: number | null;
  /** Why the last query failed; null if it succeeded. */
  problem: string | null;
}

/** The last answer of Slurm to the tracker. */
export interface JobsView extends Freshness {
  rows: readonly JobRow[];
}

export interface WorkerHealth {
  startedAt: number;
  broker: BrokerStatus;
  /**
   * `draining`: no more tasks are accepted until the intake is resumed. `blocked`: the journal cannot be written or Slurm accepts
   * no jobs; `problem` says why.
   */
  intake: 'open' | 'paused' | 'full' | 'draining' | 'blocked';
  /** While draining: since when no run has been in flight; null while one is. */
  drainedAt: number | null;
  /** Number of unfinished runs, and the limit of it. */
  inFlight: number;
  inFlightLimit: number;
  finished: { succeeded: number; failed: number; canceled: number };
  /** Message about the last error of Girder, Slurm or the worker's own files; null if there is none. */
  problem: string | null;
}

/** How the worker is reached, and how old its data is. */
export type Link =
  | { kind: 'inside' }
  /**
   * Not attached: data comes from the journal and from Slurm. `problem`: why the running worker cannot be attached to; null if none
   * runs.
   */
  | { kind: 'none'; problem: string | null }
  /** `at`: time of the last message. `problem`: why it is disconnected at present. `ended`: nothing listens there any more. */
  | { kind: 'socket'; path: string; pid: number; at: number; problem: string | null; ended: boolean };

/** The state of a worker at one moment. Unchanged parts keep their identity between snapshots. */
export interface WorkerSnapshot {
  profile: string;
  /** What runs the jobs: Slurm, or the worker's host. */
  executor: 'slurm' | 'local';
  link: Link;
  health: WorkerHealth;
  runs: readonly RunView[];
  jobs: JobsView;
}

/** The file of a log. */
export interface LogFile {
  /** Null while unknown, for example before there is a job. */
  path: string | null;
  bytes: number;
  /** Number of bytes at its beginning that were not read. */
  from: number;
  isMissing: boolean;
  /** Why it cannot be read; null if it can. */
  problem: string | null;
}

/** The last lines of a log. `lost`: number of earlier lines that were dropped. */
export interface LogTail {
  lines: readonly string[];
  lost: number;
  /** When each line appeared; null for lines that were there before. */
  times?: readonly (number | null)[];
  file?: LogFile;
}

/** The result of a command, and its message. */
export type CommandAnswer = {
  ok: boolean;
  message: string;
  /** Ids of runs that it created. */
  runs?: readonly string[];
};

/**
 * Access to a worker, in this process or at the other end of a socket. Its methods do not throw: refusals and connection errors are
 * in their results.
 */
export interface WorkerHandle {
  snapshot(): WorkerSnapshot;
  /** Calls `listener` after each change, at most a few times per second. Returns a function that unsubscribes. */
  subscribe(listener: () => void): () => void;
  /**
   * Subscribes to a view that is not in the snapshot and is updated only while there are listeners. `listener` first gets the
   * current view, which can be old.
   * @returns a function that unsubscribes
   */
  watch<K extends keyof LiveViews>(what: K, listener: (view: LiveViews[K]) => void): () => void;
  /**
   * Follows a log, starting with its last lines; `listener` gets the complete bounded tail each time.
   * @param of the id of a run, `job:` and the id of a Slurm job, whose standard output is followed, or `stderr:` and the id of a job
   */
  followLog(of: string, listener: (tail: LogTail) => void): () => void;
  /** Everything about one run. */
  runDetail(runId: string): Promise<RunDetailAnswer>;
  /** Everything that Slurm reports about one job; each call is one query. */
  jobDetail(jobId: string): Promise<JobDetail>;
  /** The batch script of a job, if Slurm shows it to this user; each call is one or two queries. */
  jobScript(jobId: string): Promise<JobScript>;
  /** Inspects an image file in `dirs.images`. @param file its name, as in the view `images` */
  imageDetail(file: string): Promise<ImageDetail>;
  /** Performs an action on runs and jobs. */
  act(action: WorkerAction): Promise<CommandAnswer>;
  /** Drains or resumes nodes, with one Slurm command. */
  changeNodes(change: NodeChange, nodes: readonly string[]): Promise<CommandAnswer>;
  /** Accepts no more tasks until `resume`; runs in flight continue. */
  pause(): Promise<CommandAnswer>;
  resume(): Promise<CommandAnswer>;
  /**
   * Polls Slurm more or less often, within the site's rate limit. Missing for a worker in another process, which is shared.
   */
  pace?(change: 'more' | 'less'): Promise<CommandAnswer>;
  /** Like `pause`; `health.drainedAt` is set when no run is in flight. */
  drain(): Promise<CommandAnswer>;
}
