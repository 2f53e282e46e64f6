import { isDeepStrictEqual } from 'node:util';

import type { Clock } from '../../base/clock.js';
import { createBatchRuns, type BatchRun } from '../batches/batch-run.js';
import { groupIntoBatches } from '../batches/group.js';
import { summarizeBatches, type Batch } from '../batches/summary.js';
import type { RunStore } from '../run-state/run-store.js';
import type { BatchesView } from './live-views.js';
import type { Watch } from './watch.js';

/** Thousands of runs are grouped again, so at most once in this time. */
const updateMs = 1_000;
/** Rates and expected ends change without any event. */
const againMs = 15_000;

/** The batches of the runs that the store remembers, newest first. Computed once for all listeners, and only while there are any. */
export function watchBatches(runStore: RunStore, clock: Clock): Watch<BatchesView> {
  const read = createBatchRuns();
  const listeners = new Set<(view: BatchesView) => void>();
  let view: BatchesView | null = null;
  let stop: (() => void) | null = null;

  function compute(): BatchesView {
    const runs: BatchRun[] = [];
    for (const run of runStore.all()) {
      const each = read(run);
      if (each !== null) runs.push(each);
    }
    const before = new Map(view?.rows.map((row) => [row.id, row]));
    // an unchanged batch keeps its identity
    const rows = summarizeBatches(groupIntoBatches(runs), clock.now()).map((row): Batch => {
      const known = before.get(row.id);
      return known !== undefined && isDeepStrictEqual(known, row) ? known : row;
    });
    return { rows, at: clock.now(), problem: null };
  }

  function start(): () => void {
    let timer: NodeJS.Timeout | null = null;
    const update = (): void => {
      timer = null;
      view = compute();
      for (const listener of listeners) listener(view);
    };
    const unsubscribe = runStore.subscribe((_, event) => {
      if (event.type !== 'progress') timer ??= setTimeout(update, updateMs);
    });
    const again = setInterval(update, againMs);
    return () => {
      unsubscribe();
      clearInterval(again);
      if (timer !== null) clearTimeout(timer);
      view = null;
    };
  }

  return {
    listen(listener) {
      listeners.add(listener);
      stop ??= start();
      view ??= compute();
      listener(view);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stop?.();
        stop = null;
      };
    },
    close() {
      listeners.clear();
      stop?.();
      stop = null;
    },
  };
}
