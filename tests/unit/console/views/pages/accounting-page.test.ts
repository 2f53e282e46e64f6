import { beforeEach, expect, test } from 'vitest';

import type { AccountingView } from '../../../../../src/worker/views/live-views.js';
import { createFakeWorker, type FakeWorker } from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

let worker: FakeWorker;
let console: OpenedConsole;

beforeEach(() => {
  worker = createFakeWorker();
  console = openConsole(worker, { columns: 80, rows: 24 });
  console.press(':');
  console.type('sacct');
  console.press('enter');
});

const show = (parts: Partial<AccountingView>): void => {
  const view = { isKept: true, jobs: [], omitted: 0, at: 0, problem: null, ...parts };
  console.dispatch({ type: 'liveViewChanged', name: 'accounting', view, now: 4_000 });
};

const job = {
  id: '42_3',
  name: 'blast\u001B[2J',
  state: { base: 'OUT_OF_MEMORY', flags: [] },
  exitCode: { code: 0, signal: 9 },
  submittedAt: 1_000,
  startedAt: 10_000,
  endedAt: 75_000,
} as const;

test('lists jobs with their state, exit code and run time, and counts those that it does not list', () => {
  expect(console.text()).toContain('Querying sacct.');
  show({ jobs: [job, { ...job, id: '43', startedAt: null, endedAt: null, exitCode: null }], omitted: 1_200 });
  expect(console.text()).toMatch(/› sacct/u);
  expect(console.text()).toContain('1,202 jobs of the last day, 1,200 not listed, 4s ago');
  expect(console.text()).toMatch(/42_3 +✘ OUT_OF_MEMORY +0:9 +[-\d]+ [:\d]+ +1m 05s blast/u);
  expect(console.text()).not.toContain('\u001B[2J');
  expect(console.text()).toMatch(/43 +✘ OUT_OF_MEMORY +[-\d]+ [:\d]+ +blast/u);
});

test('says that a site keeps no accounting, and why there is no answer', () => {
  show({ isKept: false });
  expect(console.text()).toContain('This site keeps no accounting');
  show({ at: null, problem: 'sacct timed out' });
  expect(console.text()).toMatch(/error +sacct timed out/u);
  expect(console.text()).not.toContain('keeps no accounting');
  show({ jobs: [job], problem: 'sacct timed out' });
  expect(console.text()).toMatch(/sacct timed out[^]*42_3/u);
});
