import type { Clock } from '../base/clock.js';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Journal } from './journal.js';
import { applyEvent, beginRun, type Run, type RunEvent } from './run.js';

/** Finished runs that are remembered, so that a message delivered twice is known and screens have a past. */
const finishedKept = 2_000;
/** The journal is rewritten when it has grown past this many bytes. */
const compactAtBytes = 64 * 1024 * 1024;

/** An event without its time, which the book adds. */
export type RunNews = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'at'> : never) : never;

/** All runs of this worker, as the journal has them. The one place where a run changes. */
export interface Book {
  get(id: string): Run | undefined;
  all(): Iterable<Run>;
  inFlight(): number;
  /** Counts of finished runs since this worker started, by outcome. */
  finished(): { succeeded: number; failed: number; canceled: number };
  /** Begins a run. Rejects, with nothing begun, if it cannot be made durable. */
  accept(event: Omit<Extract<RunEvent, { type: 'accepted' }>, 'at' | 'type'>): Promise<Run>;
  /**
   * Writes down what happened and resolves with the run as it is then. What has happened cannot be taken back, so a full
   * disk is waited out, with `trouble()` saying so. It rejects only if the worker stops meanwhile.
   */
  record(id: string, news: RunNews): Promise<Run>;
  /** Writes down something that a crash may lose without harm. */
  note(id: string, news: RunNews): Run;
  /** Why the journal cannot be written at present. */
  trouble(): string | null;
  /** Told of every change, with the run as it is afterwards. */
  subscribe(listener: (run: Run, event: RunEvent) => void): () => void;
}

/** A book over runs that were read from `journal`. */
export function openBook(
  runs: Map<string, Run>,
  journal: Journal,
  { clock, log, stopping }: { clock: Clock; log: Log; stopping: AbortSignal },
): Book {
  const listeners = new Set<(run: Run, event: RunEvent) => void>();
  const counts = { succeeded: 0, failed: 0, canceled: 0 };
  const finishedIds: string[] = [];
  let open = 0;
  let trouble: string | null = null;
  let compacting = false;

  for (const run of [...runs.values()].sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0))) {
    if (run.stage === 'finished') finishedIds.push(run.id);
    else open += 1;
  }
  forgetOldest();

  function forgetOldest(): void {
    for (const id of finishedIds.splice(0, Math.max(0, finishedIds.length - finishedKept))) runs.delete(id);
  }

  function must(id: string): Run {
    const run = runs.get(id);
    if (run === undefined) throw new Error(`no run ${id} in the book`);
    return run;
  }

  function change(id: string, event: RunEvent): Run {
    const before = must(id);
    const after = applyEvent(before, event);
    if (after === before) return before;
    runs.set(id, after);
    if (after.stage === 'finished') {
      open -= 1;
      counts[after.outcome ?? 'failed'] += 1;
      finishedIds.push(id);
      forgetOldest();
    }
    for (const listener of listeners) listener(after, event);
    return after;
  }

  async function compactIfLarge(): Promise<void> {
    if (compacting || journal.bytes() < compactAtBytes) return;
    compacting = true;
    try {
      await journal.compact(runs.values());
    } catch (error) {
      log.error({ err: error }, 'the journal could not be compacted');
    } finally {
      compacting = false;
    }
  }

  return {
    get: (id) => runs.get(id),
    all: () => runs.values(),
    inFlight: () => open,
    finished: () => ({ ...counts }),
    async accept({ task, refusal }) {
      const event = { type: 'accepted' as const, at: clock.now(), task, refusal };
      try {
        await journal.append(task.id, event);
        trouble = null;
      } catch (error) {
        trouble = errorLine(error);
        throw error;
      }
      const run = beginRun(event);
      runs.set(task.id, run);
      open += 1;
      for (const listener of listeners) listener(run, event);
      return run;
    },
    async record(id, news) {
      const event: RunEvent = { ...news, at: clock.now() };
      // the screen may know before the disk does; what acts on it waits for the disk
      const after = change(id, event);
      for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
        try {
          await journal.append(id, event);
          trouble = null;
          break;
        } catch (error) {
          trouble = errorLine(error);
          log.error({ run: id, event: event.type, err: error }, 'journal');
          stopping.throwIfAborted();
          await clock.sleep(wait, stopping);
        }
      }
      void compactIfLarge();
      return runs.get(id) ?? after;
    },
    note(id, news) {
      const event: RunEvent = { ...news, at: clock.now() };
      const before = must(id);
      const after = change(id, event);
      // progress comes again by itself, and often: it is not worth a line
      if (after !== before && event.type !== 'progress') journal.appendSoon(id, event);
      return after;
    },
    trouble: () => trouble,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
