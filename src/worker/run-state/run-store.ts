import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Journal } from './journal.js';
import { applyEvent, beginRun, type Run, type RunEvent } from './run.js';

/** Finished runs that are remembered, so that a message delivered twice is known and screens have a past. */
const finishedKept = 2_000;
/** The journal is rewritten when it has grown past this many bytes. */
const compactAtBytes = 64 * 1024 * 1024;

/** After a compaction that failed, so much more is written before the next one. */
const compactAgainBytes = 16 * 1024 * 1024;

/** An event without its time, which the run store adds. */
export type NewRunEvent = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'at'> : never) : never;

/** All runs of this worker, as the journal has them. The one place where a run changes. */
export interface RunStore {
  get(id: string): Run | undefined;
  all(): Iterable<Run>;
  inFlight(): number;
  /** Of them, those that do nothing but wait for a Girder that is away or ill. */
  waitingForGirder(): number;
  /** Counts of finished runs since this worker started, by outcome. */
  finished(): { succeeded: number; failed: number; canceled: number };
  /** Begins a run. Rejects, with nothing begun, if it cannot be made durable. */
  accept(event: Omit<Extract<RunEvent, { type: 'accepted' }>, 'at' | 'type'>): Promise<Run>;
  /** Takes in a run that a damaged journal had lost. Rejects, with nothing changed, if it cannot be made durable. */
  adopt(run: Run): Promise<void>;
  /**
   * Writes down what happened and resolves with the run as it is then. What has happened cannot be taken back, so a full
   * disk is waited out, with `trouble()` saying so. It rejects only if the worker stops meanwhile.
   */
  record(id: string, news: NewRunEvent): Promise<Run>;
  /** Writes down something that a crash may lose without harm. */
  recordVolatile(id: string, news: NewRunEvent): Run;
  /** Takes a finished run out of the run store and of the journal. False if it is not there, or not finished. */
  forget(id: string): Promise<boolean>;
  /** Rewrites the journal, so that nothing is in it of what was forgotten. */
  compact(): Promise<void>;
  /** Why the journal cannot be written at present. It is tried again and again until it can. */
  problem(): string | null;
  /** Told when {@link problem} comes and goes. */
  onProblem(listener: () => void): () => void;
  /** Told of every change, with the run as it is afterwards. */
  subscribe(listener: (run: Run, event: RunEvent) => void): () => void;
}

/** A run store over runs that were read from `journal`. */
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
  let trouble: string | null = null;
  const troubleListeners = new Set<() => void>();
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

  function must(id: string): Run {
    const run = runs.get(id);
    if (run === undefined) throw new Error(`no run ${id} in the run store`);
    return run;
  }

  function change(id: string, event: RunEvent): Run {
    const before = must(id);
    const after = applyEvent(before, event);
    if (after === before) return before;
    runs.set(id, after);
    waiting += Number(waitsForGirder(after)) - Number(waitsForGirder(before));
    // a finished run may still be described, or run again
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

  function setTrouble(now: string | null): void {
    const changed = (trouble === null) !== (now === null);
    trouble = now;
    if (!changed) return;
    for (const listener of troubleListeners) listener();
    if (now !== null) void mend();
  }

  /** While nothing is taken in, nothing would find out that the disk has room again. */
  async function mend(): Promise<void> {
    for (let wait = 1_000; trouble !== null; wait = Math.min(wait * 2, 15_000)) {
      await clock.sleep(wait, stopping);
      if (stopping.aborted) return;
      try {
        await journal.probe();
        setTrouble(null);
      } catch (error) {
        setTrouble(errorLine(error));
      }
    }
  }

  /** Read while the journal is written, when it is this function's turn to write. */
  function* withRun(run: Run): Iterable<Run> {
    yield* runs.values();
    yield run;
  }

  return {
    get: (id) => runs.get(id),
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
        setTrouble(errorLine(error));
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
      // its message may have been delivered again in the meantime
      if (runs.has(run.id)) throw new Error(`run ${run.id} is in the run store already`);
      runs.set(run.id, run);
      open += 1;
      if (waitsForGirder(run)) waiting += 1;
      const event = { type: 'accepted' as const, at: clock.now(), task: run.task, refusal: run.refusal };
      for (const listener of listeners) listener(run, event);
    },
    async record(id, news) {
      const event: RunEvent = { ...news, at: clock.now() };
      // the screen may know before the disk does; what acts on it waits for the disk
      const after = change(id, event);
      for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
        try {
          await journal.append(id, event);
          break;
        } catch (error) {
          setTrouble(errorLine(error));
          log.error({ run: id, event: event.type, err: error }, 'journal');
          stopping.throwIfAborted();
          await clock.sleep(wait, stopping);
        }
      }
      void compactIfLarge();
      return runs.get(id) ?? after;
    },
    recordVolatile(id, news) {
      const event: RunEvent = { ...news, at: clock.now() };
      const before = must(id);
      const after = change(id, event);
      // progress comes again by itself, and often: it is not worth a line
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
    problem: () => trouble,
    onProblem(listener) {
      troubleListeners.add(listener);
      return () => troubleListeners.delete(listener);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** One whose job waits or runs uses the cluster, whatever Girder does. */
function waitsForGirder({ stage, girderTrouble }: Run): boolean {
  const hasJob = stage === 'submitting' || stage === 'queued' || stage === 'running';
  return (girderTrouble ?? null) !== null && !hasJob && stage !== 'finished';
}
