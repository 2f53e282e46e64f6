import { setImmediate } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import type { JobChange } from '../../../../src/slurm/commands/change-jobs.js';
import type { TrackedJobs } from '../../../../src/slurm/tracker.js';
import type { WorkerAction } from '../../../../src/worker/actions/action.js';
import { createActions } from '../../../../src/worker/actions/actions.js';
import type { RunStore } from '../../../../src/worker/run-state/run-store.js';
import type { Executor } from '../../../../src/worker/executor/executor.js';
import { applyEvent, beginRun, type Run, type RunEvent } from '../../../../src/worker/run-state/run.js';
import { fakeJob } from '../../../support/fake-worker-handle.js';
import { someTask } from '../../../support/tasks.js';

function aRun(id: string, ...events: RunEvent[]): Run {
  const first = { type: 'accepted' as const, at: 1, task: someTask({ id }), refusal: null };
  return events.reduce(applyEvent, beginRun(first));
}

function withJob(id: string, jobId: string): Run {
  const submission = { key: id, logFile: '/l', exitRecord: '/e', at: 3 };
  return aRun(id, { type: 'submitting', at: 2, submission }, { type: 'submitted', at: 3, jobId });
}

/** A worker with a waiting run, two with jobs and a finished one, on a cluster where job 90 is somebody else's. */
function setUp({
  answer = { ok: true, message: '' },
  problem = null,
  late = [],
  othersJobs = false,
  orphans = {},
}: {
  answer?: { ok: boolean; message: string };
  problem?: string | null;
  late?: readonly string[];
  othersJobs?: boolean;
  /** Jobs that belong to no run, and whether their run can be recovered. */
  orphans?: Readonly<Record<string, boolean>>;
} = {}) {
  const runs = new Map(
    [
      aRun('waiting'),
      withJob('a', '10'),
      withJob('b', '11'),
      aRun(
        'over',
        { type: 'decided', at: 4, outcome: 'failed', reason: null },
        { type: 'finished', at: 5, told: true },
      ),
    ].map((run) => [run.id, run]),
  );
  const done: string[] = [];
  let pending = 0;
  let mostPending = 0;
  let view: TrackedJobs = { rows: ['10', '11', '20_[1-3]'].map((id) => fakeJob({ id })), at: 1, problem };
  const executor = {
    cancelCommand: 'scancel',
    tracker: {
      view: () => view,
      pollSoon: () => undefined,
      onAnswer(listener: (view: TrackedJobs) => void) {
        queueMicrotask(() => {
          view = { ...view, rows: [...view.rows, ...late.map((id) => fakeJob({ id }))] };
          listener(view);
        });
        return () => undefined;
      },
    },
    cancel: async (ids: readonly string[]) => {
      done.push(`cancel ${ids.join(' ')}`);
      return answer;
    },
    change: async ({ kind }: JobChange, ids: readonly string[]) => {
      done.push(`${kind} ${ids.join(' ')}`);
      return answer;
    },
  } as unknown as Executor;
  const act = createActions({
    runStore: { get: (id: string) => runs.get(id), all: () => runs.values() } as unknown as RunStore,
    executor,
    requestCancel: async (id) => {
      done.push(`request ${id}`);
      pending += 1;
      mostPending = Math.max(mostPending, pending);
      await setImmediate();
      pending -= 1;
      return true;
    },
    past: {
      retry: async (ids) => ({ ok: true, message: `retry ${ids.join(' ')}` }),
      forget: async (ids) => ({ ok: true, message: `forget ${ids.join(' ')}` }),
    },
    adoptions: {
      orphansAmong: (ids) =>
        ids.filter((id) => id in orphans).map((id) => fakeJob({ id, key: `task-of-${id}` })),
      async adopt({ id }) {
        if (orphans[id] !== true) return { kind: 'refused', why: 'its message is lost' };
        done.push(`adopt ${id}`);
        return { kind: 'adopted', run: withJob(`run-of-${id}`, id), file: 'journal.jsonl.damaged-1' };
      },
    },
    othersJobs,
  });
  return { act, done, mostPending: () => mostPending };
}

const cancel = (runs: string[], jobs: string[] = []): WorkerAction => ({ kind: 'cancel', runs, jobs });

describe('cancel', () => {
  test('of several is journaled together: one after another, thousands would take minutes', async () => {
    const { act, mostPending } = setUp();
    await act(cancel(['a', 'b']));
    expect(mostPending()).toBe(2);
  });

  test('of several is one call, and each run ends as canceled', async () => {
    const { act, done } = setUp();
    expect(await act(cancel(['a', 'b', 'a'], ['20_[1-3]']))).toEqual({
      ok: true,
      message: 'scancel 10, 11, 20_[1-3] (3 tasks): done',
    });
    expect(done).toEqual(['cancel 10 11 20_[1-3]', 'request a', 'request b']);
  });

  test('of a run without a job calls nothing', async () => {
    const { act, done } = setUp();
    expect(await act(cancel(['waiting']))).toMatchObject({
      ok: true,
      message: expect.stringContaining('before'),
    });
    expect(done).toEqual(['request waiting']);
  });

  test('that scancel refuses leaves the run as it is and says why', async () => {
    const { act, done } = setUp({ answer: { ok: false, message: 'Access denied' } });
    expect(await act(cancel(['a']))).toEqual({ ok: false, message: 'Access denied' });
    expect(done).toEqual(['cancel 10']);
  });

  test('does what it can and says first what it cannot', async () => {
    const { act, done } = setUp();
    const answer = await act(cancel(['over', 'nobody', 'a']));
    expect(answer).toEqual({
      ok: false,
      message: 'There is no run nobody.\nRun over has ended already.\nscancel 10: done',
    });
    expect(done).toEqual(['cancel 10', 'request a']);
  });

  test('on nothing are not a success', async () => {
    expect(await setUp().act(cancel([]))).toMatchObject({ ok: false });
  });
});

describe('jobs that belong to no run', () => {
  test('are adopted, or the answer says why not and how to cancel them', async () => {
    const { act, done } = setUp({ orphans: { '20': true, '21': false } });
    const answer = await act({ kind: 'adopt', runs: [], jobs: ['20', '21', '10'] });
    expect(done).toEqual(['adopt 20']);
    expect(answer.ok).toBe(false);
    expect(answer.message.split('\n')).toEqual([
      'Job 10 is not adopted: it is not a live job of this worker, or it belongs to a run.',
      'Job 21 cannot be adopted, because its message is lost. Cancel it (dsa-slurm runs cancel 21, or scancel 21).',
      'Job 20 belongs to run run-of-20 again (message from journal.jsonl.damaged-1).',
    ]);
  });

  test('are canceled with their run where it can be recovered', async () => {
    const { act, done } = setUp({ orphans: { '20': true } });
    expect(await act(cancel([], ['20']))).toMatchObject({
      ok: true,
      message: expect.stringContaining('its cancellation is reported to Girder'),
    });
    expect(done).toEqual(['adopt 20', 'cancel 20', 'request run-of-20']);
  });

  test('are canceled without a word to Girder where it cannot, which the answer says', async () => {
    const { act, done } = setUp({ orphans: { '10': false } });
    expect(await act(cancel([], ['10']))).toMatchObject({
      ok: true,
      message: expect.stringContaining(
        'The cancellation of job 10 cannot be reported to Girder, because its message is lost',
      ),
    });
    expect(done).toEqual(['cancel 10']);
  });
});

describe('jobs of others', () => {
  test('are not touched', async () => {
    const { act, done } = setUp();
    const answer = await act(cancel([], ['90', '10']));
    expect(answer).toMatchObject({
      ok: false,
      message: expect.stringContaining('Not a job of this user: 90'),
    });
    expect(done).toEqual(['cancel 10']);
  });

  test('are touched where a setting opens them', async () => {
    const { act, done } = setUp({ othersJobs: true });
    expect(await act(cancel([], ['90']))).toMatchObject({ ok: true });
    expect(done).toEqual(['cancel 90']);
  });

  test('are distinguished from jobs that are newer than the last answer', async () => {
    const { act, done } = setUp({ late: ['31'] });
    expect(await act({ kind: 'hold', runs: [], jobs: ['31'] })).toMatchObject({ ok: true });
    expect(done).toEqual(['hold 31']);
  });

  test('are unknown while Slurm does not answer, so nothing is touched', async () => {
    const { act, done } = setUp({ problem: 'squeue did not answer within 60 s' });
    expect(await act(cancel([], ['31']))).toMatchObject({
      ok: false,
      message: expect.stringContaining('squeue did not answer'),
    });
    expect(done).toEqual([]);
  });

  test('invalid ids reach no command', async () => {
    const { act, done } = setUp({ othersJobs: true });
    expect(await act(cancel([], ['1 2', '--user=root']))).toEqual({
      ok: false,
      message: '2 of the ids are not job ids.',
    });
    expect(done).toEqual([]);
  });
});

describe('changes', () => {
  test('need a job', async () => {
    const { act, done } = setUp();
    expect(await act({ kind: 'requeue', runs: ['waiting'], jobs: [] })).toEqual({
      ok: false,
      message: 'Run waiting has no job yet.',
    });
    expect(done).toEqual([]);
  });

  test('name the command that was run', async () => {
    const { act } = setUp();
    expect(await act({ kind: 'timeLimit', runs: ['a'], jobs: [], limit: '+30' })).toEqual({
      ok: true,
      message: 'scontrol update JobId=10 TimeLimit=+30: done',
    });
    expect(await act({ kind: 'signal', runs: ['a', 'b'], jobs: [], signal: 'USR1' })).toEqual({
      ok: true,
      message: 'scancel --signal=USR1 --full 10, 11: done',
    });
  });

  test('with an invalid value are refused with a message', async () => {
    const { act } = setUp();
    expect(await act({ kind: 'timeLimit', runs: ['a'], jobs: [], limit: 'soon' })).toMatchObject({
      ok: false,
      message: expect.stringContaining('not a valid time limit'),
    });
  });
});
