import type { Clock } from '../base/clock.js';
import type { RunCommand } from '../base/command.js';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { JobRow } from './job.js';
import { queryJobs, type JobScope } from './commands/squeue.js';

/** The last answer of squeue. */
export interface TrackedJobs {
  /** Rows of the last successful poll; array and rows keep their identity while they do not change. */
  rows: readonly JobRow[];
  /** Time of that poll, in milliseconds since the epoch; null before the first. */
  at: number | null;
  /** Why the last poll failed or was incomplete; null if it succeeded. */
  problem: string | null;
}

export interface Tracker {
  start(): void;
  /** Resolves when no poll is in progress. */
  stop(): Promise<void>;
  view(): TrackedJobs;
  /** The jobs of all users; updated only while {@link Tracker.includeAllUsers} is in effect. */
  allJobs(): TrackedJobs;
  /**
   * Polls the jobs of all users until each caller has called the function that it got.
   */
  includeAllUsers(): () => void;
  /** The job's row in the last successful poll. A missing row does not mean that the job has ended: see `resolveEnd`. */
  row(jobId: string): JobRow | undefined;
  /** When the last successful poll began, on the monotonic clock: what happened later is not in its answer. Null before the first. */
  askedAt(): number | null;
  /** Called after each poll, successful or not. Returns a function that unsubscribes. */
  onAnswer(listener: (view: TrackedJobs) => void): () => void;
  /** Polls soon instead of waiting for the interval, but at most once a second. */
  pollSoon(): void;
  /** Poll interval in milliseconds; null if there is no polling. */
  everyMs(): number | null;
  /** Changes the poll interval. */
  setPollInterval(ms: number): void;
}

export interface TrackerOptions {
  run: RunCommand;
  clock: Clock;
  /** Poll interval in milliseconds. */
  intervalMs: number;
  scope: JobScope;
  /** The worker's user name, as squeue prints it: tells its own jobs from others' while all users are included. */
  user?: string | null;
  log: Log;
}

const shortestGapMs = 1_000;
const longestPauseMs = 60_000;

/**
 * Polls squeue for all jobs at once, one call at a time, and keeps the last successful answer. While Slurm does not answer,
 * the interval doubles, up to a minute.
 */
export function createTracker(options: TrackerOptions): Tracker {
  const { run, clock, scope, user = null, log } = options;
  let { intervalMs } = options;
  const listeners = new Set<(view: TrackedJobs) => void>();
  let view: TrackedJobs = { rows: [], at: null, problem: null };
  let all: TrackedJobs = user === null ? { ...view, problem: "the worker's user name is not known" } : view;
  const wideners = new Set<symbol>();
  let byId = new Map<string, JobRow>();
  let askedAt: number | null = null;
  let silences = 0;
  let nudged = false;
  let stopping: AbortController | null = null;
  let waking = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  async function ask(signal: AbortSignal): Promise<void> {
    const isWide = wideners.size > 0 && user !== null;
    const began = clock.monotonic();
    const answer = await queryJobs(run, isWide ? { kind: 'all' } : scope, { signal });
    if (signal.aborted) return;
    if (answer.kind === 'answer') {
      const problem =
        answer.unparsable === 0
          ? null
          : `${answer.unparsable} records of squeue's output could not be parsed`;
      if (silences > 0) log.info({ after: silences }, 'Slurm answers again');
      silences = 0;
      askedAt = began;
      const at = clock.now();
      const known = keepRows(byId, answer.rows);
      byId = new Map(known.map((row) => [row.id, row]));
      const ours = isWide ? known.filter((row) => row.user === user) : known;
      view = { rows: keepArray(view.rows, ours), at, problem };
      if (isWide) all = { rows: keepArray(all.rows, known), at, problem };
    } else {
      silences++;
      if (silences === 1) log.warn({ why: answer.why }, 'Slurm does not answer');
      view = { ...view, problem: answer.why };
      if (isWide) all = { ...all, problem: answer.why };
    }
    for (const listener of listeners) {
      try {
        listener(view);
      } catch (error) {
        log.error({ error: errorLine(error) }, 'a listener of the job tracker failed');
      }
    }
  }

  /** Waits for the interval: less after `pollSoon`, more while Slurm does not answer. */
  async function pause(signal: AbortSignal): Promise<void> {
    const asked = clock.monotonic();
    for (;;) {
      const longest = Math.max(intervalMs, longestPauseMs);
      const full = Math.min(intervalMs * 2 ** Math.min(silences, 16), longest);
      const pauseMs = nudged && silences === 0 ? Math.min(shortestGapMs, full) : full;
      const left = asked + pauseMs - clock.monotonic();
      if (signal.aborted || left <= 0) break;
      waking = new AbortController();
      await clock.sleep(left, AbortSignal.any([signal, waking.signal]));
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      nudged = false;
      await ask(signal);
      await pause(signal);
    }
  }

  function pollSoon(): void {
    nudged = true;
    waking.abort();
  }

  return {
    start() {
      if (stopping !== null) return;
      stopping = new AbortController();
      loop = follow(stopping.signal);
    },
    async stop() {
      stopping?.abort();
      await loop;
      stopping = null;
    },
    view: () => view,
    allJobs: () => all,
    includeAllUsers() {
      const widener = Symbol('widener');
      wideners.add(widener);
      pollSoon();
      return () => wideners.delete(widener);
    },
    row: (jobId) => byId.get(jobId),
    askedAt: () => askedAt,
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pollSoon,
    everyMs: () => intervalMs,
    setPollInterval(ms) {
      intervalMs = ms;
      // recomputes a wait in progress
      waking.abort();
    },
  };
}

/**
 * The new rows; an equal old row keeps its identity. The others are copied, because V8 keeps the whole output of squeue in
 * memory for as long as a single string that was cut from it.
 */
export function keepRows(oldById: ReadonlyMap<string, JobRow>, rows: readonly JobRow[]): readonly JobRow[] {
  return rows.map((row) => {
    const before = oldById.get(row.id);
    return before !== undefined && sameValue(before, row) ? before : structuredClone(row);
  });
}

/** The old array if the new one has the same rows. */
export function keepArray(old: readonly JobRow[], rows: readonly JobRow[]): readonly JobRow[] {
  return rows.length === old.length && rows.every((row, index) => row === old[index]) ? old : rows;
}

/** Deep equality of plain data. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return left.length === right.size && left.every(([key, value]) => sameValue(value, right.get(key)));
}
