import { constants as system, userInfo } from 'node:os';
import { join } from 'node:path';

import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { readExitRecord } from '../../slurm/exit-record.js';
import type { JobEnd } from '../../slurm/resolve.js';
import type { TrackedJobs } from '../../slurm/tracker.js';
import type { Executor } from './executor.js';
import { createProcesses, type ProcessEnd, type Processes } from './local/processes.js';
import { rowOf } from './local/row.js';
import { createSpool, type LocalJob, type Spool } from './local/spool.js';

export interface LocalOptions {
  /** The worker's state directory. */
  stateDirectory: string;
  /** Jobs that run at one time. */
  concurrency: number;
  /** What every job inherits. */
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  log: Log;
  /** Both are this host's own unless a test says otherwise. */
  spool?: Spool;
  processes?: Processes;
}

/** How often jobs of an earlier worker are looked at; of its own the worker is told at once. */
const lookEveryMs = 1_000;
/** Between SIGTERM and SIGKILL, as Slurm's `KillWait`. */
const killAfterMs = 30_000;
/** So long an ended job is listed, as Slurm's `MinJobAge`. */
const listedMs = 300_000;

/**
 * Jobs run on this host, as girder_worker does without Slurm: the same batch script, a few at a time, each in a process
 * group of its own. They outlive the worker: whoever starts next finds them in the spool.
 */
export function createLocalExecutor(options: LocalOptions): Executor {
  const { concurrency, clock, log } = options;
  const spool = options.spool ?? createSpool(join(options.stateDirectory, 'local-jobs'));
  const processes = options.processes ?? createProcesses(options.env);
  const user = userInfo().username;
  const jobs = new Map<string, LocalJob>();
  const listeners = new Set<(view: TrackedJobs) => void>();
  let view: TrackedJobs = { rows: [], at: null, trouble: null };
  let lastId = 0;
  let stopping: AbortController | null = null;
  let waking = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let loaded: Promise<void> | null = null;
  /** Everything that changes a job takes its turn here. */
  let turn: Promise<unknown> = Promise.resolve();

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };

  async function load(): Promise<void> {
    const found = await spool.load();
    if (found.strange > 0) log.error({ files: found.strange }, 'local jobs whose files cannot be read');
    for (const job of found.jobs) {
      jobs.set(job.id, job);
      lastId = Math.max(lastId, Number(job.id));
    }
  }
  const ready = async (): Promise<void> => (loaded ??= load());

  /** The disk first: what it does not know must not happen. */
  async function change(job: LocalJob, changes: Partial<LocalJob>): Promise<LocalJob> {
    const next = { ...job, ...changes };
    await spool.save(next);
    jobs.set(job.id, next);
    return next;
  }

  async function begin(job: LocalJob): Promise<void> {
    const intent = await change(job, { startingAt: clock.now() });
    try {
      const { process, ended } = await processes.start(intent);
      await change(intent, { process });
      void ended.then(async (how) => sawEnd(job.id, how));
    } catch (error) {
      const reason = `it could not be started: ${errorLine(error)}`;
      await change(intent, { end: { at: clock.now(), state: 'FAILED', exitCode: null, reason } });
    }
  }

  /** The kernel told its parent. Where that cannot be written down, the next look finds the process gone. */
  async function sawEnd(id: string, how: ProcessEnd): Promise<void> {
    // the jobs of a worker that has stopped are the next one's
    if (stopping === null || stopping.signal.aborted) return;
    try {
      await inTurn(async () => finish(id, how));
    } catch (error) {
      log.error({ err: error, job: id }, 'the end of a local job could not be written down');
    }
    wake();
  }

  /** @param how null if nobody saw it end; then its exit record has to tell */
  async function finish(id: string, how: ProcessEnd | null): Promise<void> {
    const job = jobs.get(id);
    if (job === undefined || job.end !== null) return;
    const record = await readExitRecord(job.exitRecord);
    const code = record?.jobId === id ? record.exitCode : (how?.code ?? null);
    const signal = how === null || how.signal === null ? 0 : system.signals[how.signal];
    const state = job.cancelAt !== null ? 'CANCELLED' : code === 0 && signal === 0 ? 'COMPLETED' : 'FAILED';
    await change(job, {
      end: {
        at: clock.now(),
        state,
        exitCode: code === null && signal === 0 ? null : { code: code ?? 0, signal },
        reason: code === null && signal === 0 ? 'it ended without a word about how' : '',
      },
    });
  }

  /** One look at every job: what ended is noted, what may start is started, what does not want to end is killed. */
  async function look(): Promise<void> {
    await ready();
    const now = clock.now();
    for (const job of jobs.values()) {
      if (job.end !== null) {
        if (now - job.end.at > listedMs) {
          await spool.remove(job.id);
          jobs.delete(job.id);
        }
      } else if (job.process !== null) {
        if (await processes.isDead(job.process)) await finish(job.id, null);
        else if (job.cancelAt !== null && now - job.cancelAt > killAfterMs) {
          processes.signal(job.process, 'SIGKILL');
        }
      } else if (job.startingAt !== null) {
        await takeUp(job);
      }
    }
    let running = [...jobs.values()].filter(({ process, end }) => process !== null && end === null).length;
    for (const job of jobs.values()) {
      if (running >= concurrency) break;
      if (job.end !== null || job.process !== null || job.startingAt !== null) continue;
      await begin(job);
      running += 1;
    }
  }

  /** An earlier worker wrote down that it starts the job, and not that it did. */
  async function takeUp(job: LocalJob): Promise<void> {
    const process = await processes.findStarted(job);
    if (process !== null) await change(job, { process });
    else if ((await readExitRecord(job.exitRecord))?.jobId === job.id) await finish(job.id, null);
    else await change(job, { startingAt: null });
  }

  function tell(trouble: string | null): void {
    const now = clock.now();
    const rows = [...jobs.values()].map((job) => rowOf(job, user, now));
    view = trouble === null ? { rows, at: now, trouble } : { ...view, trouble };
    for (const listener of listeners) {
      try {
        listener(view);
      } catch (error) {
        log.error({ error: errorLine(error) }, 'a listener to answers about jobs failed');
      }
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      waking = new AbortController();
      try {
        await inTurn(look);
        tell(null);
      } catch (error) {
        log.error({ err: error }, 'local jobs cannot be looked after');
        tell(`Jobs of this host cannot be looked after: ${errorLine(error)}`);
      }
      await clock.sleep(lookEveryMs, AbortSignal.any([signal, waking.signal]));
    }
  }

  function wake(): void {
    waking.abort();
  }

  return {
    jobWords: 'Job of the worker’s own host',
    doubtMs: 0,
    tracker: {
      start() {
        if (stopping !== null) return;
        stopping = new AbortController();
        loop = follow(stopping.signal);
      },
      async stop() {
        stopping?.abort();
        await loop;
        await turn;
        stopping = null;
      },
      view: () => view,
      // nobody else's jobs run here
      allJobs: () => view,
      widen: () => () => undefined,
      row: (jobId) => view.rows.find(({ id }) => id === jobId),
      onAnswer(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      nudge: wake,
    },
    async submit({ key, logFile, streams, script, scriptArgs, env }) {
      return inTurn(async () => {
        await ready();
        const id = String((lastId += 1));
        const job: LocalJob = {
          id,
          key,
          submittedAt: clock.now(),
          script,
          scriptArgs: [...scriptArgs],
          env: Object.fromEntries(
            Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
          ),
          logFile,
          stdout: streams?.stdout ?? logFile,
          stderr: streams?.stderr ?? logFile,
          exitRecord: env['DSA_SLURM_EXIT_RECORD'] ?? '',
          startingAt: null,
          process: null,
          cancelAt: null,
          end: null,
        };
        try {
          await spool.save(job);
        } catch (error) {
          // there may be a file that the next start would find
          return { kind: 'unclear', why: `the job could not be written down: ${errorLine(error)}` };
        }
        jobs.set(id, job);
        wake();
        return { kind: 'submitted', jobId: id, cluster: null };
      });
    },
    async find({ key }) {
      return inTurn(async () => {
        try {
          await ready();
        } catch (error) {
          return { kind: 'silence', why: errorLine(error) };
        }
        const [newest, ...others] = [...jobs.values()].filter((job) => job.key === key).reverse();
        if (newest === undefined) return { kind: 'none', accounting: true };
        const { state } = rowOf(newest, user, clock.now());
        return { kind: 'found', jobId: newest.id, state, others: others.map(({ id }) => id) };
      });
    },
    async cancel(jobIds) {
      return inTurn(async () => {
        try {
          await ready();
          for (const id of jobIds) {
            const job = jobs.get(id);
            if (job === undefined || job.end !== null) continue;
            const at = clock.now();
            if (job.process === null && job.startingAt === null) {
              await change(job, {
                cancelAt: at,
                end: { at, state: 'CANCELLED', exitCode: null, reason: '' },
              });
              continue;
            }
            const marked = job.cancelAt === null ? await change(job, { cancelAt: at }) : job;
            if (marked.process !== null) processes.signal(marked.process, 'SIGTERM');
          }
          wake();
          return { ok: true, said: '' };
        } catch (error) {
          return { ok: false, said: errorLine(error) };
        }
      });
    },
    async resolveEnd({ jobId, key, exitRecord }): Promise<JobEnd> {
      const job = jobs.get(jobId);
      if (job !== undefined && job.key === key) {
        const { state, reason } = rowOf(job, user, clock.now());
        if (job.end === null) return { kind: 'alive', state, reason };
        return {
          kind: 'ended',
          outcome: outcomes[job.end.state],
          state,
          exitCode: job.end.exitCode,
          reason,
          how: 'record',
        };
      }
      const record = await readExitRecord(exitRecord);
      if (record?.jobId !== jobId) return { kind: 'lost', why: 'this host has no record of it' };
      const good = record.exitCode === 0;
      return {
        kind: 'ended',
        outcome: good ? 'succeeded' : 'failed',
        state: { base: good ? 'COMPLETED' : 'FAILED', flags: [] },
        exitCode: { code: record.exitCode, signal: 0 },
        reason: '',
        how: 'record',
      };
    },
    change: async () => ({ ok: false, said: `${withoutSlurm} A job can be canceled, and nothing else.` }),
    describe: async () => ({ kind: 'silence', why: withoutSlurm }),
    cluster: async () => ({ kind: 'silence', why: withoutSlurm }),
  };
}

const withoutSlurm = 'This worker runs its jobs itself, without Slurm.';

const outcomes = { COMPLETED: 'succeeded', FAILED: 'failed', CANCELLED: 'canceled' } as const;
