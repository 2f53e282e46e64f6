import { expect, onTestFinished, test } from 'vitest';

import { subscribeStore } from '../../../src/console/data/store-subscriptions.js';
import { initialState } from '../../../src/console/state/reducer.js';
import { createStore } from '../../../src/console/state/store.js';
import { createFakeWorker, fakeRun } from '../../support/fake-worker-handle.js';

const second = 1_000;

function openWideConsole() {
  const worker = createFakeWorker();
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => undefined };
  worker.show({ runs: [fakeRun({ id: 'a', stage: 'queued', stageSince: 0 })] });
  const size = { columns: 160, rows: 40 };
  const store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size }));
  onTestFinished(subscribeStore(worker, store, clock));
  const asks = (now: number): boolean => {
    store.dispatch({ type: 'tick', now });
    return worker.watching().includes('cluster');
  };
  const answer = (at: number): void =>
    worker.showWatched('cluster', { nodes: [], partitions: [], at, problem: null });
  const show = (stage: 'queued' | 'running', stageSince: number, now: number): void => {
    worker.show({ runs: [fakeRun({ id: 'a', stage, stageSince })] });
    store.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now });
  };
  return { asks, answer, show };
}

test('the use of the cluster is asked for at first, and then once a minute', () => {
  const { asks, answer } = openWideConsole();
  expect(asks(0)).toBe(true);
  answer(0);
  expect(asks(second)).toBe(false);
  expect(asks(59 * second)).toBe(false);
  expect(asks(61 * second)).toBe(true);
});

test('and ten seconds after an answer once a job has started since', () => {
  const { asks, answer, show } = openWideConsole();
  answer(0);
  show('queued', 2 * second, 3 * second);
  expect(asks(15 * second)).toBe(false);
  show('running', 16 * second, 16 * second);
  expect(asks(16 * second)).toBe(true);
  answer(17 * second);
  expect(asks(20 * second)).toBe(false);
  show('running', 21 * second, 21 * second);
  expect(asks(22 * second)).toBe(false);
  expect(asks(28 * second)).toBe(true);
});
