import { beforeEach, describe, expect, test } from 'vitest';

import { createController, type Controller } from '../../../src/console/commands/controller.js';
import { subscribeStore } from '../../../src/console/data/store-subscriptions.js';
import { keyNames } from '../../../src/console/terminal/keys.js';
import { initialState } from '../../../src/console/state/reducer.js';
import { createStore } from '../../../src/console/state/store.js';
import type { Store } from '../../../src/console/state/action.js';
import { screenLines } from '../../support/screen-lines.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../support/fake-worker-handle.js';

const clock = { now: () => 9_000, monotonic: () => 9_000, sleep: async () => {} };
const own = fakeJob({ id: '4711' });
const shell = fakeJob({ id: '4800', name: 'shell', submittedAt: 1 });
const others = fakeJob({ id: '4900', name: 'relax', user: 'bob', submittedAt: 2 });
const elsewhere = fakeJob({ id: '5000', name: 'dsa-x', key: 'dsa-x', submittedAt: 3 });

let worker: FakeWorker;
let store: Store;
let controller: Controller;

beforeEach(() => {
  worker = createFakeWorker();
  worker.show({
    runs: [fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver' })],
    jobs: { rows: [own, shell, elsewhere] },
  });
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } }));
  controller = createController({
    handle: worker,
    store,
    clock,
    quit: () => {},
    host: { saveFile: async (name) => name, copyToClipboard: () => {}, openPager: async () => null },
  });
  const stop = subscribeStore(worker, store, clock);
  return stop;
});

const ids = (): string[] => store.get().tables.jobs.shown.map(({ id }) => id);
const frame = (): string => {
  return screenLines(store.get()).join('\n');
};

describe('the job scope', () => {
  test('m cycles through own jobs, jobs from Girder and jobs of all users', () => {
    expect(ids()).toEqual(['run:run-1', 'job:4800', 'job:5000']);
    controller.press(['m']);
    // a job with a key came from Girder, also through another worker
    expect(ids()).toEqual(['run:run-1', 'job:5000']);
    expect(frame()).toContain('› jobs from Girder');
    controller.press(['m']);
    worker.showWatched('allJobs', { rows: [own, shell, others, elsewhere], at: 5_000, problem: null });
    expect(ids()).toEqual(['run:run-1', 'job:4800', 'job:4900', 'job:5000']);
    expect(frame()).toContain('› jobs of all users');
    expect(frame()).toContain('Slurm 4s ago');
    expect(frame()).toMatch(/RUNNING +4900 +relax +of bob/u);
    controller.press(['m']);
    expect(ids()).toEqual(['run:run-1', 'job:4800', 'job:5000']);
  });

  test('queries the jobs of all users only while they are listed', () => {
    controller.press(['m']);
    expect(worker.watching()).toEqual([]);
    controller.press(['m']);
    expect(worker.watching()).toEqual(['allJobs']);
    controller.press(['enter']);
    expect(worker.watching()).toEqual(['allJobs']);
    controller.press(['W']);
    expect(worker.watching()).toEqual(['worker']);
    controller.press([':', ...keyNames('scope mine', {}), 'enter']);
    expect([store.get().place.view, worker.watching()]).toEqual(['jobs', []]);
  });

  test('keeps own jobs until the jobs of all users arrive, and shows the error', () => {
    controller.press([':', ...keyNames('scope all', {}), 'enter']);
    worker.showWatched('allJobs', { rows: [], at: null, problem: 'nobody knows our name' });
    expect(ids()).toHaveLength(3);
    expect(frame()).toContain('nobody knows our name');
    expect(frame()).not.toContain('has not answered yet');
  });

  test('keeps marks and selection', () => {
    controller.press(['j', 'space', 'm', 'm']);
    worker.showWatched('allJobs', { rows: [others, own, shell, elsewhere], at: 1, problem: null });
    expect([...store.get().tables.jobs.marked]).toEqual([]);
    controller.press(['space']);
    expect([...store.get().tables.jobs.marked]).toEqual(['job:5000']);
  });

  test('rejects an unknown scope', () => {
    controller.press([':', ...keyNames('scope yours', {}), 'enter']);
    expect(store.get().message?.text).toBe('Use :scope with one of mine, dsa, all.');
  });
});
