import { beforeEach, describe, expect, test, vi } from 'vitest';

import { createController, type Controller } from '../../../../src/console/commands/controller.js';
import { subscribeStore } from '../../../../src/console/data/store-subscriptions.js';
import { formatDateTime } from '../../../../src/console/views/format.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { createStore } from '../../../../src/console/state/store.js';
import type { Store } from '../../../../src/console/state/action.js';
import { screenLines } from '../../../support/screen-lines.js';
import type { LogFile, LogTail, RunView } from '../../../../src/worker/views/handle.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../../support/fake-worker-handle.js';
import { fakeRunDetail } from '../../../support/fake-watched.js';

const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
let worker: FakeWorker;
let store: Store;
let controller: Controller;
let paged: string[];
let copied: string[];
let pagerSays: string | null;
let stop: (() => void) | undefined;

function openConsole(run: RunView | null, columns = 100): void {
  stop?.();
  worker = createFakeWorker();
  worker.show({
    runs: run === null ? [] : [run],
    jobs: { rows: run === null ? [fakeJob({ id: '77_3' })] : [] },
  });
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size: { columns, rows: 24 } }));
  paged = [];
  copied = [];
  pagerSays = null;
  controller = createController({
    handle: worker,
    store,
    clock,
    quit: () => {},
    host: {
      saveFile: async (name) => name,
      copyToClipboard: (text) => void copied.push(text),
      async openPager(path) {
        paged.push(path);
        return pagerSays;
      },
    },
  });
  stop = subscribeStore(worker, store, clock);
}

const running = fakeRun({ id: 'run-1', stage: 'running', jobId: '4711' });
const finished = (outcome: 'succeeded' | 'failed'): RunView =>
  fakeRun({ id: 'run-1', stage: 'finished', outcome, finishedAt: 1 });

beforeEach(() => openConsole(running));

const frame = (): string => {
  return screenLines(store.get()).join('\n');
};
const message = (): string | undefined => store.get().message?.text;
const show = (tail: Partial<LogTail>): void =>
  store.dispatch({ type: 'tailReceived', logId: 'run-1', tail: { lines: [], lost: 0, ...tail } });
const file = (parts: Partial<LogFile>): LogFile => ({
  path: '/logs/run-1.log',
  bytes: 0,
  from: 0,
  isMissing: false,
  problem: null,
  ...parts,
});

test('asks Slurm for the output path of a job without a run', () => {
  openConsole(null);
  controller.press(['l']);
  const tail = { lines: [], lost: 0, file: file({ path: null }) };
  store.dispatch({ type: 'tailReceived', logId: 'job:77_3', tail });
  expect(frame()).toContain('Asking Slurm for the path of the output.');
});

describe('a log without lines says why', () => {
  test.each<[string, RunView, Partial<LogFile>, string]>([
    ['no job yet', running, { path: null }, 'No log yet: the run has no job yet.'],
    ['not begun', running, { isMissing: true }, 'the job has not written to /logs/run-1.log.'],
    ['empty so far', running, {}, 'The log is empty so far.'],
    ['never had a job', finished('failed'), { path: null }, 'the run ended before it got a job.'],
    [
      'deleted with its success',
      finished('succeeded'),
      { isMissing: true },
      'deleted after the run succeeded',
    ],
    ['not there', finished('failed'), { isMissing: true }, 'nothing was written, or it was deleted'],
    ['empty at the end', finished('failed'), {}, 'The log is empty.'],
    ['not to be read', running, { problem: 'EACCES: permission denied' }, 'EACCES: permission denied'],
  ])('%s', (_, run, parts, sentence) => {
    openConsole(run);
    controller.press(['l']);
    show({ file: file(parts) });
    expect(frame().replaceAll(/\s+/gu, ' ')).toContain(sentence);
  });
});

test('the heading shows the loaded part of the log, and that its file was deleted', () => {
  controller.press(['l']);
  show({ lines: ['a', 'b'], file: file({ bytes: 1_500_000_000, from: 1_400_000_000 }) });
  expect(frame()).toContain('the last 2 lines of 1.5 GB');
  show({ lines: ['a', 'b'], file: file({ bytes: 4 }) });
  expect(frame()).toContain('2 lines, 4 B');
  show({ lines: ['a', 'b'], file: file({ isMissing: true }) });
  expect(frame()).toContain('file deleted');
});

test('t shows when a line was first seen, if known', () => {
  controller.press(['l']);
  show({ lines: ['old', 'new'], times: [null, 3_600_000] });
  expect(frame()).toMatch(/^ old$/mu);
  controller.press(['t']);
  expect(frame()).toMatch(/^ {10}old$/mu);
  expect(frame()).toContain(` ${formatDateTime(3_600_000).slice(11)} new`);
  controller.press(['t']);
  expect(frame()).toMatch(/^ new$/mu);
});

test('the output of a job array task is followed by its job id', async () => {
  openConsole(null);
  worker.write('job:77_3', { lines: ['task three'], lost: 0 });
  controller.press(['l']);
  await vi.waitFor(() => expect(worker.following()).toEqual(['job:77_3']));
  await vi.waitFor(() => expect(frame()).toContain('task three'));
});

test('Y copies the log path', async () => {
  worker.details.runs.set('run-1', fakeRunDetail(running, { logFile: '/logs/run-1.log' }));
  controller.press(['Y']);
  await vi.waitFor(() => expect(copied).toEqual(['/logs/run-1.log']));
  controller.press([':', ...'copy paths'.split('').map((one) => (one === ' ' ? 'space' : one)), 'enter']);
  await vi.waitFor(() => expect(copied).toHaveLength(2));
});

describe('the pager', () => {
  test('opens the log of the selected run, in the table and on its page', async () => {
    worker.details.runs.set('run-1', fakeRunDetail(running, { logFile: '/logs/run-1.log' }));
    controller.press(['o']);
    await vi.waitFor(() => expect(paged).toEqual(['/logs/run-1.log']));
    controller.press(['enter', 'o']);
    await vi.waitFor(() => expect(paged).toHaveLength(2));
    controller.press(['esc', 'l', 'o']);
    await vi.waitFor(() => expect(paged).toHaveLength(3));
    expect(message()).toBeUndefined();
  });

  test('opens the output of a job without a run at the path from Slurm', async () => {
    openConsole(null);
    worker.details.jobs.set('77_3', {
      jobId: '77_3',
      at: 0,
      problem: null,
      facts: [['StdOut', '/tmp/77_3.out']],
    });
    controller.press(['o']);
    await vi.waitFor(() => expect(paged).toEqual(['/tmp/77_3.out']));
  });

  test('says why it cannot open a log', async () => {
    controller.press(['o']);
    await vi.waitFor(() => expect(message()).toBe('No log of run run-1 NucleiDetection is known yet.'));
    worker.details.runs.set('run-1', fakeRunDetail(running));
    pagerSays = 'The pager less could not be started.';
    controller.press(['o']);
    await vi.waitFor(() => expect(message()).toBe('The pager less could not be started.'));
    controller.press(['W', 'o']);
    expect(message()).toContain('Select a run or job');
  });
});

describe('standard error', () => {
  test('e switches to it and back', async () => {
    controller.press(['l']);
    controller.press(['e']);
    worker.write('stderr:4711', { lines: ['a warning'], lost: 0 });
    await vi.waitFor(() => expect(worker.following()).toEqual(['stderr:4711']));
    await vi.waitFor(() => expect(frame()).toMatch(/─ stderr 4711[^]*a warning/u));
    controller.press(['e']);
    await vi.waitFor(() => expect(worker.following()).toEqual(['run-1']));
    expect(frame()).toMatch(/─ log 4711/u);
  });

  test(':stderr opens it, and it says that it is the same file', async () => {
    openConsole(null);
    controller.press([':']);
    for (const key of 'stderr') controller.press([key]);
    controller.press(['enter']);
    const problem = 'The job writes its errors into the same file as its output.';
    worker.write('stderr:77_3', {
      lines: [],
      lost: 0,
      file: { path: null, bytes: 0, from: 0, isMissing: false, problem },
    });
    await vi.waitFor(() => expect(frame()).toContain(problem));
  });

  test('of a run without a job does not exist', () => {
    openConsole(fakeRun({ id: 'run-1' }));
    controller.press(['l']);
    controller.press(['e']);
    expect(frame()).toContain('There is no job yet.');
    expect(worker.following()).toEqual([]);
  });

  test('the pager opens the file that is shown', async () => {
    worker.details.jobs.set('4711', { jobId: '4711', at: 0, problem: null, facts: [['StdErr', '/logs/e']] });
    controller.press(['l']);
    controller.press(['e']);
    controller.press(['o']);
    await vi.waitFor(() => expect(paged).toEqual(['/logs/e']));
  });
});
