import type { Clock } from '../base/clock.js';
import type { RunCommand } from '../base/command.js';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { JobRow } from './job.js';
import { queryJobs, type JobScope } from './commands/squeue.js';

/** One answer of Slurm, kept until the next one. */
export interface TrackedJobs {
  /** Rows of the last good answer; the same array and the same rows as long as nothing in them changed. */
  rows: readonly JobRow[];
  /** When it came; null before the first. */
  at: number | null;
  /** Why the last question went unanswered, or was answered in part; null while all is well. */
  trouble: string | null;
}

export interface Tracker {
  start(): void;
  /** Resolves when no question is under way any more. */
  stop(): Promise<void>;
  view(): TrackedJobs;
  /** The jobs of all users, as old as the last {@link Tracker.includeAllUsers} has left them. */
  allJobs(): TrackedJobs;
  /**
   * From now on the one question is about the jobs of all users, until the returned function is called by everybody who
   * wanted that.
   */
  includeAllUsers(): () => void;
  /** The row of one job in the last good answer. That there is none says nothing about its end: see `resolveEnd`. */
  row(jobId: string): JobRow | undefined;
  /** Called after each question, answered or not. Returns the way to stop. */
  onAnswer(listener: (view: TrackedJobs) => void): () => void;
  /** Something changed: ask soon, not waiting for the interval, but never more than once a second. */
  pollSoon(): void;
  /** Milliseconds between two questions while all is well; null: nobody is asked. */
  everyMs(): number | null;
  /** From now on in this interval. */
  setPollInterval(ms: number): void;
}

export interface TrackerOptions {
  run: RunCommand;
  clock: Clock;
  /** Milliseconds between two questions. */
  intervalMs: number;
  scope: JobScope;
  /** Who we are, as squeue prints it; without that there is no telling our jobs from all jobs. */
  user?: string | null;
  log: Log;
}

const shortestGapMs = 1_000;
const longestPauseMs = 60_000;

/**
 * Asks Slurm for all jobs at once, one question at a time, and keeps the last good answer. While Slurm is silent the
 * questions become rarer, up to one a minute.
 */
export function createTracker(options: TrackerOptions): Tracker {
  const { run, clock, scope, user = null, log } = options;
  let { intervalMs } = options;
  const listeners = new Set<(view: TrackedJobs) => void>();
  let view: TrackedJobs = { rows: [], at: null, trouble: null };
  let all: TrackedJobs =
    user === null ? { ...view, trouble: 'nobody knows under which name our own jobs run' } : view;
  const wideners = new Set<symbol>();
  let byId = new Map<string, JobRow>();
  let silences = 0;
  let nudged = false;
  let stopping: AbortController | null = null;
  let waking = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  async function ask(signal: AbortSignal): Promise<void> {
    const isWide = wideners.size > 0 && user !== null;
    const answer = await queryJobs(run, isWide ? { kind: 'all' } : scope, { signal });
    if (signal.aborted) return;
    if (answer.kind === 'answer') {
      const trouble =
        answer.unparsable === 0 ? null : `${answer.unparsable} lines of squeue's answer could not be read`;
      if (silences > 0) log.info({ after: silences }, 'Slurm answers again');
      silences = 0;
      const at = clock.now();
      const known = keepRows(byId, answer.rows);
      byId = new Map(known.map((row) => [row.id, row]));
      const ours = isWide ? known.filter((row) => row.user === user) : known;
      view = { rows: keepArray(view.rows, ours), at, trouble };
      if (isWide) all = { rows: keepArray(all.rows, known), at, trouble };
    } else {
      silences++;
      if (silences === 1) log.warn({ why: answer.why }, 'Slurm does not answer');
      view = { ...view, trouble: answer.why };
      if (isWide) all = { ...all, trouble: answer.why };
    }
    for (const listener of listeners) {
      try {
        listener(view);
      } catch (error) {
        log.error({ error: errorLine(error) }, 'a listener to Slurm answers failed');
      }
    }
  }

  /** Waits for the interval, less after `pollSoon`, more while Slurm is silent. */
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
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pollSoon,
    everyMs: () => intervalMs,
    setPollInterval(ms) {
      intervalMs = ms;
      // a pause that goes on is as long as it would be now
      waking.abort();
    },
  };
}

/** The new rows, with an old row wherever it says the same. */
export function keepRows(oldById: ReadonlyMap<string, JobRow>, rows: readonly JobRow[]): readonly JobRow[] {
  return rows.map((row) => {
    const before = oldById.get(row.id);
    return before !== undefined && sameValue(before, row) ? before : row;
  });
}

/** The old array if the new one holds the same rows. */
export function keepArray(old: readonly JobRow[], rows: readonly JobRow[]): readonly JobRow[] {
  return rows.length === old.length && rows.every((row, index) => row === old[index]) ? old : rows;
}

/** Equality of plain data of the same shape. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return left.length === right.size && left.every(([key, value]) => sameValue(value, right.get(key)));
}
