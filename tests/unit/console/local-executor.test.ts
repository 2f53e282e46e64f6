import { beforeEach, describe, expect, test } from 'vitest';

import { linearLines } from '../../../src/console/views/linear.js';
import { chooseTheme } from '../../../src/console/terminal/theme.js';
import { helpLines } from '../../../src/console/views/help.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../support/fake-worker-handle.js';
import { fakeWorkerDetail } from '../../support/fake-watched.js';
import { openConsole, type OpenedConsole } from './opened-console.js';

const withoutSlurm = 'This worker runs its jobs without Slurm.';
let worker: FakeWorker;
let opened: OpenedConsole;

beforeEach(() => {
  worker = createFakeWorker();
  worker.show({
    executor: 'local',
    runs: [fakeRun({ id: 'run-1', stage: 'running', jobId: '1' })],
    jobs: { rows: [fakeJob({ id: '1' })] },
    health: { inFlight: 1 },
  });
  opened = openConsole(worker, { columns: 120, rows: 40 });
});

describe('with the local executor', () => {
  test('menu and help offer only supported actions', () => {
    opened.press('a');
    for (const word of [/x +cancel/u, /R +retry/u, /f +forget/u]) expect(opened.text()).toMatch(word);
    expect(opened.text()).not.toMatch(/hold|release|requeue|priority|limit/u);
    opened.press('h');
    expect(opened.state().overlay.kind).toBe('none');
    const help = helpLines(opened.state())
      .map(({ spans }) => spans.map(({ text }) => text).join(''))
      .filter((line) => /^ {3}a \S {2}/u.test(line));
    const own = helpLines(opened.state()).map(({ spans }) => spans.map(({ text }) => text).join(''));
    expect(own.filter((line) => line.includes('Slurm'))).toEqual([]);
    expect(help.map((line) => line.trim().split(/\s+/u)[1])).toEqual(['x', 'R', 'f']);
  });

  test('a command that needs Slurm is refused without a question', () => {
    opened.type(':hold');
    opened.press('enter');
    expect(opened.state().overlay.kind).toBe('none');
    expect(opened.text()).toContain('Jobs run on this host without Slurm: they can only be canceled.');
  });

  test.each([
    ['3', 'nodes'],
    ['4', 'partitions'],
  ])('key %s explains why there are no %s', (key, noun) => {
    opened.press(key);
    opened.dispatch({
      type: 'liveViewChanged',
      name: 'cluster',
      view: { nodes: [], partitions: [], at: null, problem: withoutSlurm },
      now: 0,
    });
    expect(opened.text()).toContain(`Jobs run on this host without Slurm, so there are no ${noun}.`);
    expect(opened.text()).not.toContain('Slurm has not answered');
  });

  test('the page about a run mentions this host', () => {
    opened.press('enter');
    expect(opened.text()).toContain('Job on this host');
    expect(opened.text()).toContain('Process facts');
    expect(opened.text()).not.toContain('scontrol');
  });

  test('the page about the worker shows no command budget', () => {
    opened.press('8');
    opened.dispatch({ type: 'liveViewChanged', name: 'worker', view: fakeWorkerDetail({}), now: 0 });
    expect(opened.text()).toMatch(/commands +\d+ in the last minute *$/mu);
  });

  test('the screen reader output names this host, not Slurm', () => {
    worker.show({ jobs: { problem: 'a full disk' } });
    opened.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 0 });
    expect(linearLines(opened.state(), chooseTheme({}))).toContain(
      'This host is not responding: a full disk',
    );
  });
});
