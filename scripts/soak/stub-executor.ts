// Jobs that are no processes: each is listed as running once, then as ended a few times, and forgotten.
// TypeScript, though a script, so that it cannot fall behind the port that it stands in for; Node leaves the types out.
import { setInterval as every } from 'node:timers';

import type { JobRow } from '../../src/slurm/job.ts';
import type { TrackedJobs } from '../../src/slurm/tracker.ts';
import type { Executor } from '../../src/worker/executor/executor.ts';

interface StubJob {
  number: number;
  key: string;
  looks: number;
}

const listedTimes = 5;
const lookEveryMs = 200;

/** Every seventh job fails. */
const fails = (number: number): boolean => number % 7 === 0;

function rowOf({ number, key, looks }: StubJob): JobRow {
  const over = looks > 1;
  const base = !over ? 'RUNNING' : fails(number) ? 'FAILED' : 'COMPLETED';
  return {
    id: String(number),
    name: `dsa-slurm-${key}`,
    user: 'soak',
    state: { base, flags: [] },
    reason: '',
    partition: 'stub',
    nodes: 'stub',
    cpus: 1,
    memory: '',
    gres: '',
    elapsed: 0,
    timeLimit: null,
    submittedAt: Date.now(),
    startedAt: Date.now(),
    expectedStart: null,
    endedAt: over ? Date.now() : null,
    exitCode: over ? { code: fails(number) ? 1 : 0, signal: 0 } : null,
    key,
    mark: null,
  };
}

export function createStubExecutor(): Executor {
  const listeners = new Set<(view: TrackedJobs) => void>();
  const jobs = new Map<number, StubJob>();
  let last = 0;
  let view: TrackedJobs = { rows: [], at: null, problem: null };
  let timer: NodeJS.Timeout | null = null;

  const look = (): void => {
    for (const job of jobs.values()) {
      job.looks += 1;
      if (job.looks > listedTimes) jobs.delete(job.number);
    }
    view = { rows: Array.from(jobs.values(), rowOf), at: Date.now(), problem: null };
    for (const listener of listeners) listener(view);
  };

  return {
    name: 'The stub',
    jobNoun: 'stub job',
    owner: { waits: () => 'It waits.', state: ({ base }) => base, refused: () => 'It waits.' },
    cancelCommand: 'nothing',
    stateSource: 'host',
    visibilityDelayMs: 0,
    records: { watch: () => () => undefined },
    tracker: {
      start: () => void (timer ??= every(look, lookEveryMs)),
      stop: async () => clearInterval(timer ?? undefined),
      view: () => view,
      allJobs: () => view,
      includeAllUsers: () => () => undefined,
      askedAt: () => performance.now(),
      row: (id) => view.rows.find((row) => row.id === id),
      onAnswer(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      pollSoon: () => undefined,
      everyMs: () => lookEveryMs,
      setPollInterval: () => undefined,
    },
    async submit({ key }) {
      last += 1;
      jobs.set(last, { number: last, key, looks: 0 });
      return { kind: 'submitted', jobId: String(last), cluster: null };
    },
    find: async () => ({ kind: 'none', accounting: true }),
    cancel: async () => ({ ok: true, message: '' }),
    canceledAt: () => null,
    cancelSettled: async () => undefined,
    async resolveEnd({ jobId }) {
      const failed = fails(Number(jobId));
      const state = { base: failed ? 'FAILED' : 'COMPLETED', flags: [] };
      const exitCode = { code: failed ? 1 : 0, signal: 0 };
      const outcome = failed ? 'failed' : 'succeeded';
      return { kind: 'ended', outcome, state, exitCode, reason: '', how: 'record' };
    },
    change: async () => ({ ok: false, message: 'a stub' }),
    describe: async () => ({ kind: 'unknown-job' }),
    changeNodes: async () => ({ ok: false, message: 'a stub' }),
    batchScript: async () => ({ kind: 'silence', why: 'a stub' }),
    cluster: async () => ({ kind: 'silence', why: 'a stub' }),
    schedulerStatistics: async () => ({ kind: 'silence', why: 'a stub' }),
    accountedJobs: async () => ({ kind: 'no-accounting' }),
  };
}
