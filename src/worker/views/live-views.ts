import type { ImageFacts } from '../../apptainer/inspect.js';
import type { LoggedProblem } from '../../base/log.js';
import type { QueueDepth } from '../../celery/broker.js';
import type { NodeRow, PartitionRow } from '../../slurm/commands/sinfo.js';
import type { AccountedJob } from '../../slurm/commands/sacct.js';
import type { SchedulerSection } from '../../slurm/commands/sdiag.js';
import type { JobFact } from '../../slurm/commands/scontrol.js';
import type { JobUsage } from '../../slurm/exit-record.js';
import type { RequestedResources } from '../../slurm/requested.js';
import type { Batch } from '../batches/summary.js';
import type { JobsView, Freshness, RunView } from './handle.js';
import type { JournalState } from '../run-state/journal.js';
import type { RunFile, StageEntry } from '../run-state/run.js';
import type { StandbyWorker } from '../open/standby.js';

/** Views that are updated only while there are listeners. */
export interface LiveViews {
  /** The state of the worker process. */
  worker: WorkerDetail;
  /** Nodes and partitions. */
  cluster: ClusterView;
  /** Statistics of Slurm's controller. */
  scheduler: SchedulerView;
  /** The user's jobs of the last day in Slurm's accounting database. */
  accounting: AccountingView;
  /** The jobs of all users; the tracker then polls all of them. */
  allJobs: JobsView;
  images: ImagesView;
  /** Finished runs, newest first. */
  history: HistoryView;
  /** Runs that were started together, newest first. */
  batches: BatchesView;
}

export interface WorkerDetail extends Freshness {
  version: string;
  pid: number;
  host: string;
  /** Standbys of this worker. */
  standbys: readonly StandbyWorker[];
  /** Bytes. */
  memory: { rss: number; heapUsed: number };
  /** The broker's address without its password, and its queues, to which `Freshness` applies. */
  broker: { address: string; queues: readonly QueueDepth[] };
  /** Number of runs in each of the last 60 minutes, oldest first; the last minute is incomplete. */
  rates: { accepted: readonly number[]; finished: readonly number[] };
  journal: JournalState & { problem: string | null };
  /** Commands in the last minute. `budget`: what the site's rate limit allows one user per minute; null without a limit. */
  commands: { lastMinute: number; budget: number | null; recent: readonly CommandLine[] };
  /** Recent warnings and errors of the log, oldest first. */
  troubles: readonly LoggedProblem[];
}

/** A command that was run, with secrets masked. */
export interface CommandLine {
  at: number;
  file: string;
  args: readonly string[];
  /** `exited with 1: sbatch: error: …`; empty if it succeeded. */
  problem: string;
  exitCode: number | null;
  ms: number;
}

export interface ClusterView extends Freshness {
  nodes: readonly NodeRow[];
  partitions: readonly PartitionRow[];
}

export interface SchedulerView extends Freshness {
  /** Empty before the first answer. */
  sections: readonly SchedulerSection[];
}

export interface AccountingView extends Freshness {
  /** Whether the site keeps accounting; null: unknown. */
  isKept: boolean | null;
  /** Latest submission first. */
  jobs: readonly AccountedJob[];
  /** Number of further jobs that are not listed. */
  omitted: number;
}

export interface ImagesView extends Freshness {
  directory: string | null;
  rows: readonly ImageRow[];
  /** Number of further files that are not listed; missing if there are none. */
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

export interface BatchesView extends Freshness {
  rows: readonly Batch[];
}

export interface HistoryView extends Freshness {
  rows: readonly HistoryRow[];
}

/** A finished run with its durations in milliseconds; null for stages that it did not reach. */
export interface HistoryRow {
  run: RunView;
  /** Before it was submitted: staging of inputs and the like. */
  preparingMs: number | null;
  /** Total time in Slurm's queue. */
  waitingMs: number | null;
  runningMs: number | null;
  collectingMs: number | null;
  totalMs: number;
  /** Final state of its job, as Slurm spells it, and the exit code. */
  jobState: string | null;
  exitCode: number | null;
}

/** Everything about one run. Contains no secrets. */
export interface RunDetail {
  run: RunView;
  /** Time of this information. */
  at: number;
  /** Its stages with their durations, oldest first; the last one is the present one unless the run is finished. */
  timeline: readonly (StageEntry & { ms: number })[];
  task: { name: string; queue: string; redelivered: boolean; eta: string | null; expires: string | null };
  /** Argument vectors; null before submission. */
  sbatch: readonly string[] | null;
  container: readonly string[] | null;
  inputs: readonly RunFile[];
  outputs: readonly RunFile[];
  /** Number of uploaded outputs. */
  outputsDone: number;
  girderUrl: string | null;
  logFile: string | null;
  submittedAt: number | null;
  /** How its job ended: `COMPLETED, exit code 0, according to squeue`; null before. */
  end: string | null;
  /** What its job asked for, and what it used; null if that is unknown, as for a job without Slurm or a script of one's own. */
  requested: RequestedResources | null;
  usage: JobUsage | null;
  canceledBy: string | null;
  /** Id of the run that this one is a retry of, and of the retry of this run. */
  retryOf: string | null;
  retriedAs: string | null;
}

/** The details of a run, or why they are not available. */
export type RunDetailAnswer = { ok: true; detail: RunDetail } | { ok: false; message: string };

export interface JobDetail extends Freshness {
  jobId: string;
  /** The fields of `scontrol show job`, in their order; empty without an answer. */
  facts: readonly JobFact[];
}

/** The batch script of a job. */
export interface JobScript extends Freshness {
  jobId: string;
  /** Without line ends; otherwise unchanged, so possibly with control characters. Empty without an answer. */
  lines: readonly string[];
  /** Number of further lines. */
  omitted: number;
}

export type ImageDetail = { ok: true; facts: ImageFacts } | { ok: false; message: string };
