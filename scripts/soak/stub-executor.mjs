// Jobs that are no processes: each is listed as running once, then as ended a few times, and forgotten.
import { setInterval as every } from 'node:timers';

const listedTimes = 5;
const everyMs = 200;

/** Every seventh job fails. */
const fails = (number) => number % 7 === 0;

const rowOf = ({ number, key, looks }) => {
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
  };
};

export function createStubExecutor() {
  const listeners = new Set();
  const jobs = new Map();
  let last = 0;
  let view = { rows: [], at: null, trouble: null };
  let timer = null;

  const look = () => {
    for (const job of jobs.values()) {
      job.looks += 1;
      if (job.looks > listedTimes) jobs.delete(job.number);
    }
    view = { rows: Array.from(jobs.values(), rowOf), at: Date.now(), trouble: null };
    for (const listener of listeners) listener(view);
  };

  return {
    jobWords: 'stub job',
    doubtMs: 0,
    tracker: {
      start: () => void (timer ??= every(look, everyMs)),
      stop: async () => clearInterval(timer),
      view: () => view,
      allJobs: () => view,
      widen: () => () => {},
      row: (id) => view.rows.find((row) => row.id === id),
      onAnswer(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      nudge: () => {},
      listeners: () => listeners.size,
    },
    async submit({ key }) {
      last += 1;
      jobs.set(last, { number: last, key, looks: 0 });
      return { kind: 'submitted', jobId: String(last), cluster: null };
    },
    find: async () => ({ kind: 'none', accounting: true }),
    cancel: async () => ({ ok: true, said: '' }),
    resolveEnd: async ({ jobId }) => {
      const state = { base: fails(Number(jobId)) ? 'FAILED' : 'COMPLETED', flags: [] };
      const outcome = fails(Number(jobId)) ? 'failed' : 'succeeded';
      return { kind: 'ended', outcome, state, exitCode: { code: 0, signal: 0 }, reason: '', how: 'record' };
    },
    change: async () => ({ ok: false, said: 'a stub' }),
    describe: async () => ({ kind: 'unknown-job' }),
    cluster: async () => ({ kind: 'silence', why: 'a stub' }),
  };
}
