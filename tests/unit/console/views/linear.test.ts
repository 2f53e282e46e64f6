import { beforeEach, describe, expect, test } from 'vitest';

import { linearLines } from '../../../../src/console/views/linear.js';
import { initialState, reduce } from '../../../../src/console/state/reducer.js';
import type { Action } from '../../../../src/console/state/action.js';
import type { ConsoleState } from '../../../../src/console/state/state.js';
import { chooseTheme } from '../../../../src/console/terminal/theme.js';
import { createFakeWorker, fakeJob, fakeRun } from '../../../support/fake-worker-handle.js';

let state: ConsoleState;

beforeEach(() => {
  const worker = createFakeWorker();
  worker.show({
    runs: [
      fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver\u001B[2J' }),
      fakeRun({ id: 'run-2', stage: 'queued', jobId: '4712', acceptedAt: 1 }),
    ],
    jobs: { rows: [fakeJob({ id: '4711', elapsed: 7, startedAt: 1 })] },
  });
  state = initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } });
});

const after = (...actions: Action[]): string[] => [
  ...linearLines(actions.reduce(reduce, state), chooseTheme({})),
];

describe('for a screen reader', () => {
  test('a table is its selected row, one field per line, without ticking values', () => {
    expect(after()).toEqual([
      'dsa-slurm › default › jobs [worker inside]',
      'Row 1 of 2',
      'state: running',
      'job: 4711',
      'run: run-1',
      'name: NucleiDetection',
      'image: example/small:v1',
      'title: Liver',
      'partition: cpu',
      'cpus: 1',
      'memory: 1G',
      'limit: 3600',
      'nodes: node1',
      '1 of 2',
      expect.stringMatching(/^Keys: l log/u),
    ]);
    expect(after({ type: 'tick', now: 60_000 })).toEqual(after());
  });

  test('a closed intake is announced', () => {
    const worker = createFakeWorker();
    worker.show({ health: { intake: 'paused' } });
    const lines = after({ type: 'snapshot', snapshot: worker.snapshot(), now: 0 });
    expect(lines).toContain('Intake paused: no tasks are accepted.');
    expect(after().join()).not.toContain('Intake');
  });

  test('marks are announced', () => {
    expect(after({ type: 'markToggled' }, { type: 'cursorMoved', move: 'up' })).toContain(
      'Row 1 of 2, marked, 1 row marked in total',
    );
  });

  test('questions, pages, help, logs and messages are plain lines', () => {
    const [row] = state.tables.jobs.rows;
    expect(row?.id).toBe('run:run-1');
    expect(after({ type: 'quitOpened' })).toContain('Question:');
    expect(after({ type: 'quitOpened' })).toContain('any other key stay');
    expect(after({ type: 'helpOpened' })).toContain('l Open or close the log of the selected run or job');
    expect(after({ type: 'navigated', place: { view: 'worker', top: 0 } })).toContain('profile default');
    const log: Action = { type: 'tailReceived', logId: 'run-1', tail: { lines: ['step one'], lost: 0 } };
    expect(after({ type: 'logToggled' }, log)).toContain('step one');
    expect(after({ type: 'messageShown', message: { tone: 'bad', text: 'no', until: null } })).toContain(
      '✘ no 1 of 2',
    );
    expect(after({ type: 'filterTyped', text: 'zzz' }).join(' ')).toContain('No matches for "zzz"');
  });
});
