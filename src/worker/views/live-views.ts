import type { ImageFacts } from '../../apptainer/inspect.js';
import type { LoggedProblem } from '../../base/log.js';
import type { QueueDepth } from '../../celery/broker.js';
import type { NodeRow, PartitionRow } from '../../slurm/commands/sinfo.js';
import type { JobFact } from '../../slurm/commands/scontrol.js';
import type { JobsView, Freshness, RunView } from './handle.js';
import type { JournalState } from '../run-state/journal.js';
import type { RunFile, StageEntry } from '../run-state/run.js';
import type { StandbyWorker } from '../open/standby.js';

/** What is asked for only while somebody looks at it. */
export interface LiveViews {
  /** The worker itself. */
  worker: WorkerDetail;
  /** Nodes and partitions. */
  cluster: ClusterView;
  /** The jobs of all users: the tracker's one question is then about all of them. */
  allJobs: JobsView;
  images: ImagesView;
  /** Finished runs, newest first. */
  history: HistoryView;
}

export interface WorkerDetail extends Freshness {
  version: string;
  pid: number;
  host: string;
  /** Workers that wait to take over from this one. */
  standbys: readonly StandbyWorker[];
  /** Bytes. */
  memory: { rss: number; heapUsed: number };
  /** The broker's address without its password, and what waits there. `Freshness` is that of `queues`. */
  broker: { address: string; queues: readonly QueueDepth[] };
  /** Counts in each of the last 60 minutes, oldest first; the last minute is not over. */
  rates: { accepted: readonly number[]; finished: readonly number[] };
  journal: JournalState & { trouble: string | null };
  /** Commands in the last minute. `budget`: what the site's rate limit allows one user a minute; null for no limit. */
  commands: { lastMinute: number; budget: number | null; recent: readonly CommandLine[] };
  /** Warnings and errors of the log, oldest first. */
  troubles: readonly LoggedProblem[];
}

/** A command that was run; secrets are left out of its arguments. */
export interface CommandLine {
  at: number;
  file: string;
  args: readonly string[];
  /** `exited with 1: sbatch: error: …`; empty when all went well. */
  trouble: string;
  exitCode: number | null;
  ms: number;
}

export interface ClusterView extends Freshness {
  nodes: readonly NodeRow[];
  partitions: readonly PartitionRow[];
}

export interface ImagesView extends Freshness {
  directory: string | null;
  rows: readonly ImageRow[];
  /** So many more files are there than are listed; absent for none. */
  unlisted?: number;
}

export interface ImageRow {
  /** The file's name in `dirs.images`. */
  file: string;
  bytes: number;
  modifiedAt: number;
  /** Runs in flight that use it. */
  inUse: number;
}

export interface HistoryView extends Freshness {
  rows: readonly HistoryRow[];
}

/** A finished run with its times, in milliseconds; null where it never came so far. */
export interface HistoryRow {
  run: RunView;
  /** From its arrival to the queue: fetching inputs and the like. */
  preparingMs: number | null;
  /** In Slurm's queue, all waits together. */
  waitingMs: number | null;
  runningMs: number | null;
  collectingMs: number | null;
  totalMs: number;
  /** Slurm's word for how its job ended, and its exit code. */
  jobState: string | null;
  exitCode: number | null;
}

/** Everything about one run. Free of secrets. */
export interface RunDetail {
  run: RunView;
  /** When this was so. */
  at: number;
  /** Each stage with how long it took, oldest first; the last one goes on unless the run is finished. */
  timeline: readonly (StageEntry & { ms: number })[];
  task: { name: string; queue: string; redelivered: boolean; eta: string | null; expires: string | null };
  /** The argument vectors that were run; null before. */
  sbatch: readonly string[] | null;
  container: readonly string[] | null;
  inputs: readonly RunFile[];
  outputs: readonly RunFile[];
  /** So many of them are uploaded. */
  outputsDone: number;
  girderUrl: string | null;
  logFile: string | null;
  submittedAt: number | null;
  /** How its job ended: `COMPLETED, exit code 0, told by squeue`; null before. */
  end: string | null;
  canceledBy: string | null;
  /** The run that this one runs again, and the one that runs this one again. */
  retryOf: string | null;
  retriedAs: string | null;
}

/** What is known of a run that was asked for, or why nobody can tell. */
export type RunDetailAnswer = { ok: true; detail: RunDetail } | { ok: false; said: string };

export interface JobDetail extends Freshness {
  jobId: string;
  /** Everything of `scontrol show job`, in its order; empty without an answer. */
  facts: readonly JobFact[];
}

export type ImageDetail = { ok: true; facts: ImageFacts } | { ok: false; said: string };
