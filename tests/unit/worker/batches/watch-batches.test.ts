import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import type { RunStore } from '../../../../src/worker/run-state/run-store.js';
import { applyEvent, beginRun, type Run } from '../../../../src/worker/run-state/run.js';
import { watchBatches } from '../../../../src/worker/views/batches.js';
import type { BatchesView } from '../../../../src/worker/views/live-views.js';
import { someTask } from '../../../support/tasks.js';

const run = (id: string): Run =>
  applyEvent(beginRun({ type: 'accepted', at: 0, task: someTask({ id }), refusal: null }), {
    type: 'described',
    at: 0,
    description: { image: 'example/cells:v1', cli: 'Cells' },
  });

/** As much of a run store as the view needs. */
function aStore() {
  const runs: Run[] = [run('a'), run('b')];
  const listeners = new Set<Parameters<RunStore['subscribe']>[0]>();
  const store: Pick<RunStore, 'all' | 'subscribe'> = {
    all: () => runs.values(),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    store: store as RunStore,
    listeners,
    add(id: string) {
      const added = run(id);
      runs.push(added);
      for (const listener of listeners) listener(added, { type: 'staging', at: 0 });
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('batches are computed once for all listeners, and kept while they do not change', () => {
  const { store, listeners, add } = aStore();
  const watch = watchBatches(store, systemClock);
  const seen: BatchesView[] = [];
  const stops = [watch.listen((view) => seen.push(view)), watch.listen((view) => seen.push(view))];
  expect(seen[0]?.rows).toMatchObject([{ id: 'a', total: 2 }]);
  expect(seen[1]).toBe(seen[0]);
  expect(listeners.size).toBe(1);

  vi.advanceTimersByTime(15_000);
  expect(seen.at(-1)?.rows[0]).toBe(seen[0]?.rows[0]);

  add('c');
  add('d');
  const before = seen.length;
  vi.advanceTimersByTime(1_000);
  expect(seen).toHaveLength(before + 2);
  expect(seen.at(-1)?.rows).toMatchObject([{ id: 'a', total: 4 }]);

  for (const stop of stops) stop();
  expect(listeners.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a closed view has no timers', () => {
  const { store, add } = aStore();
  const watch = watchBatches(store, systemClock);
  watch.listen(() => undefined);
  add('c');
  watch.close();
  expect(vi.getTimerCount()).toBe(0);
});
