import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { subscribeJobScript } from '../../../../../src/console/data/job-script.js';
import { createController, type Controller } from '../../../../../src/console/commands/controller.js';
import { keyNames } from '../../../../../src/console/terminal/keys.js';
import { initialState } from '../../../../../src/console/state/reducer.js';
import { createStore } from '../../../../../src/console/state/store.js';
import type { Store } from '../../../../../src/console/state/action.js';
import { screenLines } from '../../../../support/screen-lines.js';
import { createFakeWorker, fakeJob, type FakeWorker } from '../../../../support/fake-worker-handle.js';

let worker: FakeWorker;
let store: Store;
let controller: Controller;
let asked: string[];
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  worker = createFakeWorker();
  worker.show({ jobs: { rows: [fakeJob({ id: '77_3' })] } });
  worker.details.scripts.set('77_3', {
    jobId: '77_3',
    lines: ['#!/bin/sh', '\techo a', 'rm -rf /\recho harmless\u001B[8m', `x${'y'.repeat(100)}z`],
    omitted: 12,
    at: 0,
    problem: null,
  });
  asked = [];
  const handle = { ...worker, jobScript: async (id: string) => (asked.push(id), worker.jobScript(id)) };
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } }));
  stop = subscribeJobScript(handle, store);
  controller = createController({
    handle,
    store,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    quit: () => {},
    host: { saveFile: async (name) => name, copyToClipboard: () => {}, openPager: async () => null },
  });
});

afterEach(() => {
  stop();
  vi.useRealTimers();
});

const frame = (): string => screenLines(store.get()).join('\n');
const settle = async (ms = 0): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
};

test('b opens it, with line numbers and visible control characters', async () => {
  expect(asked).toEqual([]);
  controller.press(['b']);
  expect(frame()).toContain('Batch script of job 77_3: loading');
  await settle();
  const text = frame();
  expect(text).toContain('› script of 77_3');
  expect(text).toContain('    1  #!/bin/sh');
  expect(text).toContain('    2          echo a');
  expect(text).toContain(String.raw`    3  rm -rf /\x0decho harmless\x1b[8m`);
  expect(text).toMatch(/ {4}4 {2}xy+ *\n {7}y+z/u);
  expect(text).toContain('The script has 12 more lines.');
  expect(asked).toEqual(['77_3']);
});

test('is searched, refreshed by r, and left by Esc', async () => {
  controller.press([':']);
  controller.press(keyNames('script', {}));
  controller.press(['enter']);
  await settle();
  controller.press(['/']);
  controller.press(keyNames('harmless', {}));
  controller.press(['enter']);
  await settle();
  await vi.waitFor(() => expect(store.get().pageSearch?.hit).toBe(3));
  controller.press(['esc']);
  controller.press(['r']);
  await settle(2_000);
  expect(asked).toEqual(['77_3', '77_3']);
  controller.press(['esc']);
  expect(store.get().place).toEqual({ view: 'jobs' });
});

test('shows the refusal of Slurm, and keeps the script when Slurm has purged the job', async () => {
  const known = worker.details.scripts.get('77_3');
  worker.details.scripts.delete('77_3');
  controller.press(['b']);
  await settle();
  expect(frame()).toMatch(/error +unknown/u);
  if (known !== undefined) worker.details.scripts.set('77_3', known);
  controller.press(['r']);
  await settle(2_000);
  expect(frame()).not.toMatch(/error +unknown/u);
  worker.details.scripts.delete('77_3');
  controller.press(['r']);
  await settle(2_000);
  expect(frame()).toMatch(/error +unknown[^]*#!\/bin\/sh/u);
});
