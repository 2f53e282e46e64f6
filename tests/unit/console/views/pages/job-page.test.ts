import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createController, type Controller } from '../../../../../src/console/commands/controller.js';
import { subscribeRowDetails } from '../../../../../src/console/data/row-details.js';
import { keyNames } from '../../../../../src/console/terminal/keys.js';
import { initialState } from '../../../../../src/console/state/reducer.js';
import { createStore } from '../../../../../src/console/state/store.js';
import type { Store } from '../../../../../src/console/state/action.js';
import { screenLines } from '../../../../support/screen-lines.js';
import { pageLines } from '../../../../../src/console/views/pages/page.js';
import {
  createFakeWorker,
  fakeJob,
  fakeRun,
  type FakeWorker,
} from '../../../../support/fake-worker-handle.js';
import { fakeRunDetail } from '../../../../support/fake-watched.js';

const run = fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver', reason: null });
let worker: FakeWorker;
let store: Store;
let controller: Controller;
let asked: string[];
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  worker = createFakeWorker();
  worker.show({
    runs: [run],
    jobs: { rows: [fakeJob({ id: '4711' }), fakeJob({ id: '7', user: 'bob', submittedAt: 5 })] },
  });
  worker.details.runs.set('run-1', fakeRunDetail(run));
  worker.details.jobs.set('4711', {
    jobId: '4711',
    at: 0,
    problem: null,
    facts: [
      ['JobId', '4711'],
      ['WorkDir', '/shared/logs'],
      ['NtasksPerN:B:S:C', '0:0:*:*'],
    ],
  });
  asked = [];
  const handle = {
    ...worker,
    runDetail: async (id: string) => (asked.push(`run ${id}`), worker.runDetail(id)),
    jobDetail: async (id: string) => (asked.push(`job ${id}`), worker.jobDetail(id)),
  };
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } }));
  stop = subscribeRowDetails(handle, store);
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

const settle = async (ms = 0): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
};
const page = (): string =>
  pageLines(store.get())
    .map(({ spans }) => spans.map(({ text }) => text).join(''))
    .join('\n');
const snapshot = (): void => store.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 0 });

describe('the page about a run', () => {
  test('shows the run, its stages, commands, files and job facts', async () => {
    controller.press(['enter']);
    expect(page()).toContain('Output of scontrol show job: loading');
    await settle();
    for (const part of [
      /Girder job +https:\/\/dsa\.example\/#job\/1234/u,
      /task +task\.run from celery/u,
      /accepted +\d\d:\d\d:\d\d +40ms/u,
      /queued +\d\d:\d\d:\d\d +5\.0s +━+\n/u,
      /running .* …/u,
      /file +slide\.svs {2}\(f00d\)/u,
      /Outputs, 0 of 1 uploaded\n +folder +nuclei\.anot/u,
      /sbatch +sbatch --parsable --comment 'a '\\''b'\\'''/u,
      /container +apptainer exec --girderToken '\*\*\*'/u,
      /log file +\/logs\/run-1\.out/u,
      /scontrol show job, 0s ago, press r to refresh/u,
      /WorkDir +\/shared\/logs/u,
      /NtasksPerN:B:S:C 0:0:\*:\*/u,
    ]) {
      expect(page()).toMatch(part);
    }
  });

  test('queries Slurm when it opens, on a state change and on refresh only', async () => {
    controller.press(['enter']);
    await settle(5_000);
    expect(asked).toEqual(['run run-1', 'job 4711']);
    worker.show({ jobs: { rows: [fakeJob({ id: '4711', elapsed: 7 })] } });
    snapshot();
    await settle(5_000);
    expect(asked).toHaveLength(2);
    worker.show({ jobs: { rows: [fakeJob({ id: '4711', state: { base: 'COMPLETED', flags: [] } })] } });
    snapshot();
    await settle(5_000);
    expect(asked.slice(2)).toEqual(['job 4711']);
    controller.press(['r', 'r', 'r']);
    await settle(5_000);
    // one query at once, and one for all requests during the pause
    expect(asked.slice(3)).toEqual(['job 4711', 'job 4711']);
    worker.show({ runs: [{ ...run, progress: 0.5 }] });
    snapshot();
    await settle(5_000);
    expect(asked.slice(5)).toEqual(['run run-1']);
    controller.press(['esc']);
    snapshot();
    await settle(5_000);
    expect(asked).toHaveLength(6);
  });

  test('keeps the last job facts when Slurm does not respond', async () => {
    controller.press(['enter']);
    await settle(5_000);
    worker.details.jobs.set('4711', { jobId: '4711', facts: [], at: null, problem: 'no controller' });
    controller.press(['r']);
    await settle(5_000);
    expect(page()).toMatch(/error +no controller/u);
    expect(page()).toContain('/shared/logs');
  });

  test('shows the job facts of a job without a run', async () => {
    worker.details.jobs.set('7', { jobId: '7', at: 0, problem: null, facts: [['UserId', 'bob(1001)']] });
    controller.press(['j', 'enter']);
    await settle();
    expect(asked).toEqual(['job 7']);
    expect(page()).toMatch(/UserId +bob\(1001\)/u);
    expect(page()).not.toContain('Stages');
  });

  test('ignores the answer about another row', async () => {
    controller.press(['enter', 'esc', 'j', 'enter']);
    await settle(5_000);
    expect(page()).not.toContain('/shared/logs');
    expect(asked.at(-1)).toBe('job 7');
  });
});

function frame(): string[] {
  return screenLines(store.get());
}

describe('a search on a page', () => {
  test('scrolls to the hit and marks it; n finds the next, Esc ends the search, then the page', async () => {
    controller.press(['enter']);
    await settle();
    expect(frame().join('\n')).not.toContain('WorkDir');
    controller.press([...keyNames('/workdir', {}), 'enter']);
    expect(frame()).toContainEqual(expect.stringMatching(/^▸ {2}WorkDir/u));
    controller.press([...keyNames('//^ +(image|CLI)/', {}), 'enter']);
    const first = store.get().pageSearch?.hit;
    controller.press(['n']);
    expect(store.get().pageSearch?.hit).toBe((first ?? 0) + 1);
    controller.press(['esc']);
    expect([store.get().pageSearch, store.get().place.view]).toEqual([null, 'job']);
    controller.press(['esc']);
    expect(store.get().place.view).toBe('jobs');
  });

  test('reports a text that is not found', async () => {
    controller.press(['enter', ...keyNames('/nowhere', {}), 'enter']);
    expect(store.get().message?.text).toBe('No "nowhere" in the loaded lines.');
  });

  test('stops a regular expression that takes too long', () => {
    worker.show({ runs: [{ ...run, title: `${'a'.repeat(60)}!` }] });
    snapshot();
    controller.press(['enter', ...keyNames('//(a+)+x$/', {}), 'enter']);
    expect(store.get().message?.text).toContain('takes too long and was stopped.');
  });
});
