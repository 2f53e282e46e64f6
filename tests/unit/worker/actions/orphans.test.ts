import { describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import type { JobRow } from '../../../../src/slurm/job.js';
import { createOwnerMark } from '../../../../src/slurm/job-identity.js';
import { parseJobState } from '../../../../src/slurm/states.js';
import type { TrackedJobs } from '../../../../src/slurm/tracker.js';
import type { RunStore } from '../../../../src/worker/run-state/run-store.js';
import { orphanJobs, watchOrphans } from '../../../../src/worker/actions/orphans.js';
import type { Run } from '../../../../src/worker/run-state/run.js';

const state = '/home/dsa/.local/state/dsa-slurm/default';

function row(id: string, over: Partial<JobRow> = {}): JobRow {
  return {
    id,
    key: `run-${id}`,
    mark: createOwnerMark(state),
    state: parseJobState('RUNNING'),
    reason: '',
    ...over,
  } as JobRow;
}

const run = (id: string, stage: Run['stage'] = 'running') => ({ id, stage });

test('are the live jobs of this worker that no unfinished run knows', () => {
  const rows = [
    row('1'),
    row('2'),
    row('3'),
    row('4', { state: parseJobState('COMPLETED') }),
    // another worker of the same user, a job of an older version, and one that is none of ours
    row('5', { mark: createOwnerMark('/home/dsa/.local/state/dsa-slurm/other') }),
    row('6', { mark: null }),
    row('7', { key: null }),
    row('8', { state: parseJobState('PENDING') }),
  ];
  const orphans = orphanJobs(rows, [run('run-1'), run('run-3', 'finished')], state);
  expect(orphans.map(({ id }) => id)).toEqual(['2', '3', '8']);
});

/** Watches for orphans among these runs, with answers of Slurm from the test. */
function watchAmong(runs: readonly Run[]) {
  const listeners: ((view: TrackedJobs) => void)[] = [];
  const canceled: string[][] = [];
  let at = 0;
  const executor = {
    tracker: {
      view: () => ({ rows: [], at: null, problem: null }),
      onAnswer: (listener: (view: TrackedJobs) => void) => {
        listeners.push(listener);
        return () => undefined;
      },
    },
    cancel: async (ids: string[]) => {
      canceled.push(ids);
      return { ok: true, message: '' };
    },
  };
  const runStore = { all: () => runs } as unknown as RunStore;
  const watch = watchOrphans(executor as never, runStore, state, silentLog());
  const tell = (view: TrackedJobs): void => listeners[0]?.(view);
  return {
    ...watch,
    canceled,
    answer: (rows: JobRow[]): void => tell({ rows, at: (at += 1), problem: null }),
    /** The last answer once more, because the next question went unanswered. */
    silence: (rows: JobRow[]): void => tell({ rows, at, problem: 'squeue timed out' }),
  };
}

test('are reported once two answers of Slurm contain them, and no longer when they are gone', () => {
  const { answer, silence, problem, canceled } = watchAmong([]);
  answer([row('1')]);
  expect(problem()).toBeNull();
  silence([row('1')]);
  expect(problem()).toBeNull();
  answer([row('1')]);
  expect(problem()).toContain('1 Slurm job belongs to no run of this worker');
  answer([]);
  expect(problem()).toBeNull();
  expect(canceled).toEqual([]);
});

const ended = (toldBy: string) =>
  [{ ...run('run-1', 'finished'), jobId: '1', end: { toldBy } }] as unknown as Run[];

describe('a job that was requeued after its exit record had ended the run', () => {
  const requeued = row('1', { state: parseJobState('PENDING'), reason: 'BeginTime' });

  test('is canceled once two answers of Slurm show it waiting', () => {
    const { answer, problem, canceled } = watchAmong(ended('record'));
    // squeue may have been asked before the job started
    answer([requeued]);
    expect(canceled).toEqual([]);
    answer([requeued]);
    expect(canceled).toEqual([['1']]);
    expect(problem()).toBeNull();
  });

  test.each([
    ['it runs: the controller may not know of its end yet', 'record', row('1')],
    ['Slurm ended the run', 'squeue', requeued],
    ['its run was given up', 'nobody', requeued],
  ])('is reported instead if %s', (_, toldBy, shown) => {
    const { answer, problem, canceled } = watchAmong(ended(toldBy));
    answer([shown]);
    answer([shown]);
    expect(canceled).toEqual([]);
    expect(problem()).toContain('belongs to no run');
  });
});
