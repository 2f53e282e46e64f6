import { beforeEach, describe, expect, test, vi } from 'vitest';

import { createController, type Controller } from '../../../../src/console/commands/controller.js';
import { keyNames } from '../../../../src/console/terminal/keys.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { rowActions } from '../../../../src/console/commands/row-actions.js';
import { contextOf } from '../../../../src/console/state/state.js';
import { createStore } from '../../../../src/console/state/store.js';
import type { Store } from '../../../../src/console/state/action.js';
import { screenLines } from '../../../support/screen-lines.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../../support/fake-worker-handle.js';

let worker: FakeWorker;
let store: Store;
let controller: Controller;

function openConsole(size = { columns: 80, rows: 24 }, readOnly = false): void {
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size, readOnly }));
  controller = createController({
    handle: worker,
    store,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    quit: () => {},
    host: { saveFile: async (name) => name, copyToClipboard: () => {}, openPager: async () => null },
  });
}

beforeEach(() => {
  worker = createFakeWorker();
  worker.show({
    runs: [
      fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver', user: 'alice' }),
      fakeRun({ id: 'run-2', stage: 'queued', jobId: '4712', title: 'Lung', acceptedAt: 1 }),
      fakeRun({ id: 'run-3', stage: 'finished', outcome: 'failed', finishedAt: 2 }),
    ],
    jobs: { rows: [fakeJob({ id: '7', name: 'backup', user: 'bob', submittedAt: 3 })] },
  });
  openConsole();
});

const message = (): string | undefined => store.get().message?.text;
const context = (): string => contextOf(store.get());
const frame = (): string => {
  return screenLines(store.get()).join('\n');
};
const type = (text: string): void => controller.press(keyNames(text, {}));
const line = (text: string): void => {
  controller.press([':']);
  type(text);
  controller.press(['enter']);
};

const marks = (): string[] => [...store.get().tables.jobs.marked].sort();

test('canceled rows lose their marks, others keep them', async () => {
  controller.press(['*']);
  const all = marks();
  expect(all).toContain('run:run-3');
  line('hold');
  controller.press(['y']);
  await vi.waitFor(() => expect(message()).toContain('Hold'));
  worker.answerWith({ ok: false, message: 'scancel: error: no' });
  line('cancel');
  controller.press(['y']);
  await vi.waitFor(() => expect(message()).toContain('error: no'));
  expect(marks()).toEqual(all);
  worker.answerWith({ ok: true, message: '' });
  line('cancel');
  controller.press(['y']);
  // also after leaving the table
  controller.press(['3']);
  // a finished run is skipped
  await vi.waitFor(() => expect(marks()).toEqual(['run:run-3']));
});

describe('the menu', () => {
  test('shows every action with a unique key', () => {
    controller.press(['a']);
    expect(context()).toBe('menu');
    expect(frame()).toContain('Choose an action for 4711 Liver:');
    for (const { key, label } of rowActions) expect(frame()).toMatch(new RegExp(`${key} +${label}`));
    expect(new Set(rowActions.map(({ key }) => key)).size).toBe(rowActions.length);
  });

  test.each([40, 60, 80, 200])('is complete at %d columns', (columns) => {
    openConsole({ columns, rows: 15 });
    controller.press(['a']);
    for (const { key, label } of rowActions) expect(frame()).toContain(`${key} ${label}`);
  });

  test('says why an action cannot work, and stays open', () => {
    controller.press(['a']);
    expect(frame()).toMatch(/R +retry +only for failed or canceled runs/u);
    controller.press(['R']);
    expect([context(), message()]).toEqual(['menu', 'Cannot retry here: only for failed or canceled runs.']);
  });

  test('moves between the actions that can work, and Enter takes one', () => {
    controller.press(['a']);
    controller.press(['down']);
    controller.press(['enter']);
    expect(context()).toBe('confirm');
    expect(frame()).toContain('Hold this run?');
  });

  test('asks for confirmation', async () => {
    controller.press(['a']);
    controller.press(['h']);
    expect([context(), worker.commands]).toEqual(['confirm', []]);
    expect(frame()).toContain('Hold this run?');
    expect(frame()).toContain('job 4711, run run-1');
    expect(frame()).toContain('Liver (alice)');
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toBe('Hold run run-1 NucleiDetection: accepted'));
    expect(worker.commands).toEqual(['hold run-1']);
  });

  test('opens the command line for an action that needs a value', async () => {
    controller.press(['a']);
    controller.press(['t']);
    expect(store.get().overlay).toMatchObject({ kind: 'command', text: 'timelimit ' });
    type('04:00:00');
    controller.press(['enter']);
    expect(frame()).toContain('Set the time limit to 04:00:00 for this run?');
    controller.press(['y']);
    expect(worker.commands).toEqual(['timeLimit=04:00:00 run-1']);
    await vi.waitFor(() => expect(message()).toContain('accepted'));
  });

  test.each(['esc', 'q', 'y', 'z'])('%s does nothing', (key) => {
    controller.press(['a']);
    controller.press([key]);
    expect([context(), worker.commands, store.get().frozen]).toEqual(['table', [], null]);
  });

  test('ignores a key typed ahead', () => {
    controller.press(['a', 'h', 'y']);
    expect([context(), worker.commands]).toEqual(['menu', []]);
  });

  test('does not open in a read-only console', () => {
    openConsole(undefined, true);
    controller.press(['a']);
    expect(context()).toBe('table');
  });
});

test.each([
  ['hold', 'Hold 2 runs and 1 job not started by this worker?', 'hold run-1 run-2 7'],
  ['release', 'Release 2 runs', 'release run-1 run-2 7'],
  ['requeue', 'Requeue 2 runs', 'requeue run-1 run-2 7'],
  ['signal usr1', 'Send SIGUSR1 to 2 runs', 'signal=USR1 run-1 run-2 7'],
  ['timelimit +30', 'Set the time limit to +30 for 2 runs', 'timeLimit=+30 run-1 run-2 7'],
  ['priority 5', 'Set the priority to 5 for 2 runs', 'priority=5 run-1 run-2 7'],
  ['nice -5', 'Set the nice value to -5 for 2 runs', 'nice=-5 run-1 run-2 7'],
  ['cancel', 'Cancel 2 runs', 'cancel run-1 run-2 7'],
])('`:%s` asks once about all marked rows and does it in one call', async (typed, question, command) => {
  openConsole({ columns: 120, rows: 40 });
  controller.press(['*']);
  line(typed);
  expect(frame()).toContain(question);
  expect(frame()).toContain('skips 1 row');
  expect(frame()).toContain('4711 Liver, 7 backup, 4712 Lung');
  controller.press(['y']);
  expect(worker.commands).toEqual([command]);
  await vi.waitFor(() => expect(message()).toContain('3 rows: accepted'));
});

test('retry and forget apply to failed runs, not to running ones', async () => {
  controller.press(['G']);
  controller.press(['a']);
  controller.press(['R']);
  expect(frame()).toContain('Run this run again?');
  controller.press(['y']);
  expect(worker.commands).toEqual(['retry run-3']);
  await vi.waitFor(() => expect(message()).toContain('Run again run run-3'));
  line('forget');
  controller.press(['y']);
  expect(worker.commands).toEqual(['retry run-3', 'forget run-3']);
  controller.press(['g']);
  line('retry');
  expect(message()).toBe(
    'Nothing to retry: run run-1 NucleiDetection is running (only for failed or canceled runs).',
  );
});

test.each([
  ['signal', 'Unknown signal. Use one of HUP, INT'],
  ['signal WINCH', 'Unknown signal'],
  ['timelimit', 'That is not a valid time limit.'],
  ['timelimit soon', 'That is not a valid time limit. It must be minutes'],
  ['priority', 'That is not a valid priority.'],
  ['priority -1', 'That is not a valid priority.'],
  ['nice 1.5', 'That is not a valid nice value.'],
])('`:%s` is refused without a question', (typed, words) => {
  line(typed);
  expect(message()).toContain(words);
  expect([context(), worker.commands]).toEqual(['table', []]);
});

test('a refusal is shown unchanged', async () => {
  worker.answerWith({ ok: false, message: 'slurm_update error: Access/permission denied' });
  line('priority 5');
  controller.press(['y']);
  await vi.waitFor(() =>
    expect(message()).toBe(
      'Priority not changed, run run-1 NucleiDetection: slurm_update error: Access/permission denied',
    ),
  );
  expect(store.get().message?.until).toBeNull();
});

test('a job without a run is shown with its user', () => {
  controller.press(['j']);
  line('hold');
  expect(frame()).toContain('Hold this Slurm job? It was not started by this worker.');
  expect(frame()).toMatch(/User +bob/u);
});

test('actions on a page ignore marked rows', () => {
  controller.press(['space', 'up', 'enter']);
  controller.press(['j', 'x']);
  expect(frame()).toContain('Cancel this run?');
  expect(frame()).toContain('job 4711, run run-1');
  controller.press(['n']);
  controller.press(['W']);
  controller.press(['x']);
  expect([context(), message()]).toEqual(['page', 'Select a run or job to cancel.']);
});

test('thousands of marked rows are listed as far as they fit, and counted', () => {
  worker.show({
    runs: Array.from({ length: 3_000 }, (_, index) =>
      fakeRun({ id: `run-${index}`, stage: 'running', jobId: String(5_000 + index), acceptedAt: index }),
    ),
    jobs: { rows: [] },
  });
  openConsole();
  controller.press(['*']);
  line('requeue');
  expect(frame()).toContain('Requeue 3,000 runs?');
  expect(frame()).toMatch(/5000 NucleiDetection, 5001 .*\n.*, and 2,99\d more/u);
});
