import { beforeEach, expect, test } from 'vitest';

import { subscribeStore } from '../../../../../src/console/data/store-subscriptions.js';
import { createController } from '../../../../../src/console/commands/controller.js';
import { initialState } from '../../../../../src/console/state/reducer.js';
import { createStore } from '../../../../../src/console/state/store.js';
import type { SchedulerView } from '../../../../../src/worker/views/live-views.js';
import { createFakeWorker, type FakeWorker } from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

let worker: FakeWorker;
let console: OpenedConsole;

beforeEach(() => {
  worker = createFakeWorker();
  console = openConsole(worker, { columns: 80, rows: 24 });
});

const show = (parts: Partial<SchedulerView>): void => {
  const sections = [
    { title: 'Controller', facts: [['Server thread count', '3'] as const] },
    {
      title: 'Remote Procedure Call statistics by user',
      facts: [['evil\u001B[2J', 'count:12 ave_time:345'] as const, ['', 'No pending RPCs'] as const],
    },
  ];
  const view = { sections, at: 0, problem: null, ...parts };
  console.dispatch({ type: 'liveViewChanged', name: 'scheduler', view, now: 4_000 });
};

test('D on the page about the worker opens it, Esc goes back', () => {
  console.press('W');
  expect(console.text()).toContain('D sdiag');
  console.press('D');
  expect(console.text()).toContain('Output of sdiag: loading');
  show({});
  expect(console.text()).toMatch(/› sdiag/u);
  expect(console.text()).toContain('Output of sdiag, 4s ago; times in microseconds');
  expect(console.text()).toMatch(/ Controller *\n {3}Server thread count {2}3 *\n/u);
  expect(console.text()).toMatch(/ {3}evil {2}count:12 ave_time:345 *\n {9}No pending RPCs/u);
  console.press('D', 'esc');
  expect(console.state().place.view).toBe('worker');
});

test(':sdiag opens it from anywhere, and shows why there is no answer', () => {
  console.press(':');
  console.type('sdiag');
  console.press('enter');
  show({ sections: [], at: null, problem: 'sdiag exited with 1: Access/permission denied' });
  expect(console.text()).toMatch(/error +sdiag exited with 1: Access\/permission denied/u);
  show({ problem: 'sdiag timed out' });
  expect(console.text()).toMatch(/sdiag timed out[^]*Server thread count/u);
});

test('is queried only while its page is open', () => {
  const store = createStore(
    initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } }),
  );
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
  const stop = subscribeStore(worker, store, clock);
  const controller = createController({
    handle: worker,
    store,
    clock,
    quit: () => {},
    host: { saveFile: async (name) => name, copyToClipboard: () => {}, openPager: async () => null },
  });
  controller.press(['W']);
  expect(worker.watching()).toEqual(['worker']);
  controller.press(['D']);
  expect(worker.watching()).toEqual(['scheduler']);
  controller.press(['esc']);
  expect(worker.watching()).toEqual(['worker']);
  stop();
});

test('does not exist without Slurm', () => {
  worker.show({ executor: 'local' });
  console = openConsole(worker, { columns: 80, rows: 24 });
  console.press('W', 'D');
  expect(console.text()).toContain('Jobs run on this host without Slurm');
});
