import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Journal } from './journal.js';
import { applyEvent, beginRun, type Run, type RunEvent } from './run.js';

/** Finished runs that are remembered, to recognize messages that are delivered twice, and for the history. */
const finishedKept = 2_000;
/** Bytes written to the journal before it is compacted. */
const compactAtBytes = 64 * 1024 * 1024;

/** Bytes until the next attempt after a failed compaction. */
const compactAgainBytes = 16 * 1024 * 1024;

/** An event without its time, which the run store adds. */
export type NewRunEvent = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'at'> : never) : never;

/** All runs of this worker, as in the journal. The only place where a run changes. */
export interface RunStore {
  get(id: string): Run | undefined;
  /** @throws Error if there is no such run */
  mustGet(id: string): Run;
  all(): Iterable<Run>;
  inFlight(): number;
  /** Runs in flight that only wait for an unavailable Girder. */
  waitingForGirder(): number;
  /** Numbers of finished runs since this worker started, by outcome. */
  finished(): { succeeded: number; failed: number; canceled: number };
  /** Creates a run. Rejects, without creating it, if it cannot be written to disk. */
  accept(event: Omit<Extract<RunEvent, { type: 'accepted' }>, 'at' | 'type'>): Promise<Run>;
  /** Adds a run that was recovered from a damaged journal. Rejects, without adding it, if it cannot be written to disk. */
  adopt(run: Run): Promise<void>;
  /**
   * Records an event and resolves with the changed run once it is on disk. An event cannot be undone, so a full disk is waited
   * for, while `problem()` reports it. Rejects only if the worker stops meanwhile.
   */
  record(id: string, event: NewRunEvent): Promise<Run>;
  /** Records an event that may be lost in a crash. */
  recordVolatile(id: string, event: NewRunEvent): Run;
  /** Removes a finished run from the store and the journal. False if it does not exist or is not finished. */
  forget(id: string): Promise<boolean>;
  /** Rewrites the journal, so that it has nothing of forgotten runs. */
  compact(): Promise<void>;
  /** Why the journal cannot be written at present; null if it can. Writes are retried. */
  problem(): string | null;
  /** Calls `listener` when {@link problem} appears or disappears. */
  onProblem(listener: () => void): () => void;
  /** Calls `listener` after every change. */
  subscribe(listener: (run: Run, event: RunEvent) => void): () => void;
}

/** Creates a run store from runs that were read from `journal`. */
export function openRunStore(
  runs: Map<string, Run>,
  journal: Journal,
  { clock, log, stopping }: { clock: Clock; log: Log; stopping: AbortSignal },
): RunStore {
  const listeners = new Set<(run: Run, event: RunEvent) => void>();
  const counts = { succeeded: 0, failed: 0, canceled: 0 };
  const finishedIds: string[] = [];
  let open = 0;
  let waiting = 0;
  let problem: string | null = null;
  const problemListeners = new Set<() => void>();
  let compacting = false;
  let compactAt = compactAtBytes;

  for (const run of [...runs.values()].sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0))) {
    if (run.stage === 'finished') finishedIds.push(run.id);
    else open += 1;
    if (waitsForGirder(run)) waiting += 1;
  }
  forgetOldest();

  function forgetOldest(): void {
    for (const id of finishedIds.splice(0, Math.max(0, finishedIds.length - finishedKept))) runs.delete(id);
  }

  function mustGet(id: string): Run {
    const run = runs.get(id);
    if (run === undefined) throw new Error(`no run ${id} in the run store`);
    return run;
  }

  function change(id: string, event: RunEvent): Run {
    const before = mustGet(id);
    const after = applyEvent(before, event);
    if (after === before) return before;
    runs.set(id, after);
    waiting += Number(waitsForGirder(after)) - Number(waitsForGirder(before));
    // finished runs can change too: they can be described or retried
    if (after.stage === 'finished' && before.stage !== 'finished') {
      open -= 1;
      counts[after.outcome ?? 'failed'] += 1;
      finishedIds.push(id);
      forgetOldest();
    }
    for (const listener of listeners) listener(after, event);
    return after;
  }

  async function compactIfLarge(): Promise<void> {
    if (compacting || journal.bytes() < compactAt) return;
    compacting = true;
    try {
      await journal.compact(runs.values());
      compactAt = compactAtBytes;
    } catch (error) {
      compactAt = journal.bytes() + compactAgainBytes;
      log.error({ err: error }, 'the journal could not be compacted');
    } finally {
      compacting = false;
    }
  }

  function setProblem(now: string | null): void {
    const changed = (problem === null) !== (now === null);
    problem = now;
    if (!changed) return;
    for (const listener of problemListeners) listener();
    if (now !== null) void probeUntilWritable();
  }

  /** While no tasks are accepted, nothing else would notice that the disk has space again. */
  async function probeUntilWritable(): Promise<void> {
    for (let wait = 1_000; problem !== null; wait = Math.min(wait * 2, 15_000)) {
      await clock.sleep(wait, stopping);
      if (stopping.aborted) return;
      try {
        await journal.probe();
        setProblem(null);
      } catch (error) {
        setProblem(errorLine(error));
      }
    }
  }

  /** Evaluated only when the journal is written, so that it includes later runs. */
  function* withRun(run: Run): Iterable<Run> {
    yield* runs.values();
    yield run;
  }

  return {
    get: (id) => runs.get(id),
    mustGet,
    all: () => runs.values(),
    inFlight: () => open,
    waitingForGirder: () => waiting,
    finished: () => ({ ...counts }),
    async accept({ task, refusal, retryOf }) {
      const of = retryOf === undefined ? {} : { retryOf };
      const event = { type: 'accepted' as const, at: clock.now(), task, refusal, ...of };
      try {
        await journal.append(task.id, event);
      } catch (error) {
        setProblem(errorLine(error));
        throw error;
      }
      const run = beginRun(event);
      runs.set(task.id, run);
      open += 1;
      for (const listener of listeners) listener(run, event);
      return run;
    },
    async adopt(run) {
      if (runs.has(run.id)) throw new Error(`run ${run.id} is in the run store already`);
      await journal.compact(withRun(run));
      // its message may have been redelivered meanwhile
      if (runs.has(run.id)) throw new Error(`run ${run.id} is in the run store already`);
      runs.set(run.id, run);
      open += 1;
      if (waitsForGirder(run)) waiting += 1;
      const event = { type: 'accepted' as const, at: clock.now(), task: run.task, refusal: run.refusal };
      for (const listener of listeners) listener(run, event);
    },
    async record(id, newEvent) {
      const event: RunEvent = { ...newEvent, at: clock.now() };
      // screens may show it before it is on disk; callers wait for the disk
      const after = change(id, event);
      for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
        try {
          await journal.append(id, event);
          break;
        } catch (error) {
          setProblem(errorLine(error));
          log.error({ run: id, event: event.type, err: error }, 'journal');
          stopping.throwIfAborted();
          await clock.sleep(wait, stopping);
        }
      }
      void compactIfLarge();
      return runs.get(id) ?? after;
    },
    recordVolatile(id, newEvent) {
      const event: RunEvent = { ...newEvent, at: clock.now() };
      const before = mustGet(id);
      const after = change(id, event);
      // progress is frequent and is reported again, so it is not written
      if (after !== before && event.type !== 'progress') journal.appendSoon(id, event);
      return after;
    },
    async forget(id) {
      const run = runs.get(id);
      if (run?.stage !== 'finished') return false;
      const event = { type: 'forgotten' as const, at: clock.now() };
      await journal.append(id, event);
      runs.delete(id);
      const index = finishedIds.indexOf(id);
      if (index !== -1) finishedIds.splice(index, 1);
      for (const listener of listeners) listener(run, event);
      return true;
    },
    compact: async () => journal.compact(runs.values()),
    problem: () => problem,
    onProblem(listener) {
      problemListeners.add(listener);
      return () => problemListeners.delete(listener);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A run whose job is pending or running does not only wait for Girder. */
function waitsForGirder({ stage, girderProblem }: Run): boolean {
  const hasJob = stage === 'submitting' || stage === 'queued' || stage === 'running';
  return (girderProblem ?? null) !== null && !hasJob && stage !== 'finished';
}
