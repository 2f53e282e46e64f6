import { coerceError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { GirderJob } from '../girder/jobs/job.js';
import type { RunStore } from './run-state/run-store.js';
import type { CancelSource } from './run-state/run.js';

/** Processes runs side by side, and cancels them. */
export interface RunScheduler {
  /** Starts to process a run of the store. Has no effect on a run that is being processed already. */
  start(id: string): void;
  /**
   * Journals that a run is to be canceled, then aborts its signal. The first request decides who canceled it.
   * @returns false if the run is unknown or has finished
   * @throws if the cancel cannot be journaled; the run then goes on
   */
  requestCancel(id: string, by: CancelSource): Promise<boolean>;
  /** As {@link requestCancel}, for callers that cannot wait: a failure is logged. */
  cancelSoon(id: string, by: CancelSource): void;
  /** Keeps the reporter of a run's Girder job until the run settles. */
  addGirderJob(id: string, girderJob: GirderJob): void;
  /** The Girder jobs of the runs that are being processed. */
  girderJobs(): GirderJob[];
  /** Resolves when no run is being processed. Never rejects. */
  idle(): Promise<void>;
}

export interface RunSchedulerOptions {
  runStore: Pick<RunStore, 'get' | 'record'>;
  /**
   * Processes one run until it has finished or the worker stops. `signal` aborts when the run is to be canceled, or the worker
   * stops.
   */
  processRun: (id: string, signal: AbortSignal) => Promise<void>;
  /** Called each time a run is no longer being processed. */
  onSettled: (id: string) => void;
  /** Aborts when the worker stops. */
  stopping: AbortSignal;
  log: Log;
}

interface ActiveRun {
  /** Cancels or stops it. */
  end: AbortController;
  done: Promise<void>;
  girderJob: GirderJob | null;
}

export function createRunScheduler({
  runStore,
  processRun,
  onSettled,
  stopping,
  log,
}: RunSchedulerOptions): RunScheduler {
  const active = new Map<string, ActiveRun>();
  // one listener for all: thousands of runs may wait
  stopping.addEventListener('abort', () => {
    for (const { end } of active.values()) end.abort(stopping.reason);
  });

  async function process(id: string, signal: AbortSignal): Promise<void> {
    try {
      await processRun(id, signal);
    } catch (error) {
      log.error(
        { run: id, err: coerceError(error) },
        'internal error; the next start of the worker resumes the run',
      );
    } finally {
      active.delete(id);
      onSettled(id);
    }
  }

  async function requestCancel(id: string, by: CancelSource): Promise<boolean> {
    const run = runStore.get(id);
    if (run === undefined || run.stage === 'finished') return false;
    if (run.cancel === null) {
      log.info({ run: id, by, stage: run.stage }, 'cancel requested');
      await runStore.record(id, { type: 'cancel-requested', by });
    }
    active.get(id)?.end.abort();
    return true;
  }

  return {
    start(id) {
      if (active.has(id)) return;
      const end = new AbortController();
      if (stopping.aborted) end.abort(stopping.reason);
      else if (runStore.get(id)?.cancel) end.abort();
      const entry: ActiveRun = { end, done: Promise.resolve(), girderJob: null };
      active.set(id, entry);
      entry.done = process(id, end.signal);
    },
    requestCancel,
    cancelSoon(id, by) {
      // this fails only while the worker stops; after the next start Girder reports the cancel again
      requestCancel(id, by).catch((error: unknown) => log.warn({ run: id, err: error }, 'not canceled'));
    },
    addGirderJob(id, girderJob) {
      const run = active.get(id);
      if (run !== undefined) run.girderJob = girderJob;
    },
    girderJobs: () => [...active.values()].flatMap(({ girderJob }) => girderJob ?? []),
    async idle() {
      while (active.size > 0) await Promise.all([...active.values()].map(async ({ done }) => done));
    },
  };
}
