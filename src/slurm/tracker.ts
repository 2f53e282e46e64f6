import type { Clock } from '../base/clock.js';
import type { RunCommand } from '../base/command.js';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { JobRow } from './job.js';
import { queryJobs, type JobScope } from './squeue.js';

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
  /** The row of one job in the last good answer. That there is none says nothing about its end: see `resolveEnd`. */
  row(jobId: string): JobRow | undefined;
  /** Called after each question, answered or not. Returns the way to stop. */
  onAnswer(listener: (view: TrackedJobs) => void): () => void;
  /** Something changed: ask soon, not waiting for the interval, but never more than once a second. */
  nudge(): void;
}

export interface TrackerOptions {
  run: RunCommand;
  clock: Clock;
  /** Milliseconds between two questions. */
  intervalMs: number;
  scope: JobScope;
  log: Log;
}

const shortestGapMs = 1_000;
const longestPauseMs = 60_000;

/**
 * Asks Slurm for all jobs at once, one question at a time, and keeps the last good answer. While Slurm is silent the
 * questions become rarer, up to one a minute.
 */
export function createTracker({ run, clock, intervalMs, scope, log }: TrackerOptions): Tracker {
  const listeners = new Set<(view: TrackedJobs) => void>();
  let view: TrackedJobs = { rows: [], at: null, trouble: null };
  let byId = new Map<string, JobRow>();
  let silences = 0;
  let nudged = false;
  let stopping: AbortController | null = null;
  let waking = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  async function ask(signal: AbortSignal): Promise<void> {
    const answer = await queryJobs(run, scope, { signal });
    if (signal.aborted) return;
    if (answer.kind === 'answer') {
      const trouble =
        answer.unparsable === 0 ? null : `${answer.unparsable} lines of squeue's answer could not be read`;
      if (silences > 0) log.info({ after: silences }, 'Slurm answers again');
      silences = 0;
      const rows = keepIdentity(view.rows, byId, answer.rows);
      if (rows !== view.rows) byId = new Map(rows.map((row) => [row.id, row]));
      view = { rows, at: clock.now(), trouble };
    } else {
      silences++;
      if (silences === 1) log.warn({ why: answer.why }, 'Slurm does not answer');
      view = { ...view, trouble: answer.why };
    }
    for (const listener of listeners) {
      try {
        listener(view);
      } catch (error) {
        log.error({ error: errorLine(error) }, 'a listener to Slurm answers failed');
      }
    }
  }

  /** Waits for the interval, less after a nudge, more while Slurm is silent. */
  async function pause(signal: AbortSignal): Promise<void> {
    const asked = clock.now();
    const longest = Math.max(intervalMs, longestPauseMs);
    const full = Math.min(intervalMs * 2 ** Math.min(silences, 16), longest);
    for (;;) {
      const pauseMs = nudged && silences === 0 ? Math.min(shortestGapMs, full) : full;
      const left = asked + pauseMs - clock.now();
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
    row: (jobId) => byId.get(jobId),
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    nudge() {
      nudged = true;
      waking.abort();
    },
  };
}

/** The new rows, with an old row wherever it says the same, and the old array if all of it does. */
function keepIdentity(
  old: readonly JobRow[],
  oldById: ReadonlyMap<string, JobRow>,
  rows: readonly JobRow[],
): readonly JobRow[] {
  const kept = rows.map((row) => {
    const before = oldById.get(row.id);
    return before !== undefined && sameValue(before, row) ? before : row;
  });
  return kept.length === old.length && kept.every((row, index) => row === old[index]) ? old : kept;
}

/** Equality of plain data of the same shape. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return left.length === right.size && left.every(([key, value]) => sameValue(value, right.get(key)));
}
