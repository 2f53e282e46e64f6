import { expect, test } from 'vitest';

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

test('are reported once two answers of Slurm contain them, and no longer when they are gone', () => {
  const listeners: ((view: TrackedJobs) => void)[] = [];
  let at = 0;
  const tracker = {
    view: () => ({ rows: [], at: null, trouble: null }),
    onAnswer: (listener: (view: TrackedJobs) => void) => {
      listeners.push(listener);
      return () => undefined;
    },
  };
  const runStore = { all: () => [] as Run[] } as unknown as RunStore;
  const watch = watchOrphans(tracker as never, runStore, state, silentLog());
  const tell = (view: TrackedJobs): void => listeners[0]?.(view);
  const answer = (rows: JobRow[]): void => tell({ rows, at: (at += 1), trouble: null });
  answer([row('1')]);
  expect(watch.trouble()).toBeNull();
  // the same answer once more, because the next question went unanswered
  tell({ rows: [row('1')], at, trouble: 'squeue timed out' });
  expect(watch.trouble()).toBeNull();
  answer([row('1')]);
  expect(watch.trouble()).toContain('1 Slurm job belongs to no run of this worker');
  answer([]);
  expect(watch.trouble()).toBeNull();
});
