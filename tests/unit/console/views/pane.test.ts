import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../../support/fake-worker-handle.js';
import { fakeRunDetail } from '../../../support/fake-watched.js';
import { createStore } from '../../../../src/console/state/store.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { subscribeStore } from '../../../../src/console/data/store-subscriptions.js';
import { systemClock } from '../../../../src/base/clock.js';
import type { Store } from '../../../../src/console/state/action.js';
import { screenLines } from '../../../support/screen-lines.js';

let worker: FakeWorker;
let store: Store;

const failed = fakeRun({
  id: 'run-1',
  stage: 'finished',
  outcome: 'failed',
  jobId: '4711',
  title: 'Nuclei detection on TCGA-02-0010 slide 7.svs',
  finishedAt: 5,
  reason: 'The analysis exceeded its memory of 4G and was stopped by Slurm. Ask for more with --slurm_mem.',
});

function open(columns: number): void {
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 10, size: { columns, rows: 30 } }));
}

const side = (): string =>
  screenLines(store.get())
    .map((row) => row.split('│')[1] ?? '')
    .join('\n');

beforeEach(() => {
  worker = createFakeWorker(10);
  worker.show({
    runs: [fakeRun({ id: 'run-2', stage: 'running', jobId: '4712', title: 'Lung' }), failed],
    jobs: { rows: [fakeJob({ id: '4712', nodes: 'n7' })] },
  });
});

describe('the pane beside the table', () => {
  test('follows the cursor from 120 columns on, with the complete reason of a failure', () => {
    open(120);
    expect(side()).toMatch(/ Lung\n ● RUNNING\n/u);
    store.dispatch({ type: 'cursorMoved', move: 'down' });
    const text = side().replaceAll(/\s+/gu, ' ');
    expect(text).toContain('Nuclei detection on TCGA-02-0010 slide 7.svs');
    expect(text).toContain('exceeded its memory of 4G and was stopped by Slurm. Ask for more');
    store.dispatch({ type: 'paneToggled' });
    expect(side().trim()).toBe('');
  });

  test('is not there in a narrower terminal, or beside an open log', () => {
    open(119);
    expect(side().trim()).toBe('');
    open(160);
    store.dispatch({ type: 'logToggled' });
    expect(side().trim()).toBe('');
  });

  test('shows stages and the last lines of the log, and asks Slurm nothing', async () => {
    open(140);
    const asked = vi.spyOn(worker, 'jobDetail');
    worker.details.runs.set('run-2', fakeRunDetail(fakeRun({ id: 'run-2' })));
    const stop = subscribeStore(worker, store, systemClock);
    try {
      await vi.waitFor(() => expect(worker.following()).toEqual(['run-2']));
      worker.write('run-2', { lines: ['first', 'last \u001B[31mred'], lost: 0 });
      await vi.waitFor(() => expect(side()).toMatch(/Log ─+\n first *\n last red/u));
      expect(side()).toContain('Stages');
      store.dispatch({ type: 'cursorMoved', move: 'down' });
      expect(side()).not.toContain('last red');
      await vi.waitFor(() => expect(worker.following()).toEqual(['run-1']));
      expect(asked).not.toHaveBeenCalled();
    } finally {
      stop();
    }
    expect(worker.following()).toEqual([]);
  });
});

test('the reason of a row that has ended takes the room of its progress', () => {
  open(110);
  const row = screenLines(store.get()).find((one) => one.includes('4711')) ?? '';
  expect(row).toMatch(/0s The analysis excee/u);
});
