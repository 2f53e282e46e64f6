import { userInfo } from 'node:os';
import { join } from 'node:path';

import type { Clock } from '../../base/clock.js';
import type { CommandRecord } from '../../base/command.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { JobRow } from '../../slurm/job.js';
import { readExitRecord } from '../../slurm/exit-record.js';
import { fromRecord, type JobEnd } from '../../slurm/job-end.js';
import { keepArray, keepRows, type TrackedJobs, type Tracker } from '../../slurm/tracker.js';
import type { Executor } from './executor.js';
import { createJobSupervisor, type JobSupervisor, type PollResult } from './local/job-supervisor.js';
import { createProcesses, type Processes } from './local/processes.js';
import { createSpool, type Spool } from './local/spool.js';
import { detailsOf, ownerMessages, rowOf } from './local/slurm-format.js';

export interface LocalOptions {
  /** The worker's state directory. */
  stateDirectory: string;
  /** Jobs that run at one time. */
  concurrency: number;
  /** How long a canceled job has to end before all of its processes are asked to; 0 for a script that hands no signals on. */
  graceMs: number;
  /** What every job inherits. */
  env: Readonly<Record<string, string | undefined>>;
  /** Told of every script when it has ended, if this worker started it. */
  onCommand?: (record: CommandRecord) => void;
  clock: Clock;
  log: Log;
  /** Both are this host's own unless a test says otherwise. */
  spool?: Spool;
  processes?: Processes;
}

/** How often jobs are looked at; of the end of those that it started the worker is told at once. */
const lookEveryMs = 1_000;
/** However much happens, they are not looked at more often. */
const shortestGapMs = 100;

/**
 * Jobs run on this host, as girder_worker does without Slurm: the same batch script, a few at a time, each in a process
 * group of its own. They outlive the worker: whoever starts next finds them in the spool.
 */
export function createLocalExecutor(options: LocalOptions): Executor {
  const { concurrency, graceMs, clock, log } = options;
  const user = userInfo().username;
  const keeper = createJobSupervisor({
    spool: options.spool ?? createSpool(join(options.stateDirectory, 'local-jobs')),
    processes: options.processes ?? createProcesses(options.env, options.onCommand),
    concurrency,
    graceMs,
    clock,
    log,
    onChange: () => tracker.pollSoon(),
  });
  const tracker = trackLocal(keeper, user, options);

  return {
    jobNoun: 'local job',
    name: 'This host',
    owner: ownerMessages,
    cancelCommand: 'cancel',
    stateSource: 'host',
    visibilityDelayMs: 0,
    tracker,
    async submit({ key, directory, logFile, streams, script, scriptArgs, env }) {
      const taken = await keeper.add({
        key,
        directory,
        script,
        scriptArgs: [...scriptArgs],
        env: Object.fromEntries(
          Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
        ),
        logFile,
        stdout: streams?.stdout ?? logFile,
        stderr: streams?.stderr ?? logFile,
        exitRecord: env['DSA_SLURM_EXIT_RECORD'] ?? '',
      });
      switch (taken.kind) {
        case 'taken':
          return { kind: 'submitted', jobId: taken.id, cluster: null };
        case 'refused':
          // a full disk, say: it passes, and the operator is told of it
          log.warn({ why: taken.why }, 'a job of this host cannot be taken at present');
          return { kind: 'refused', said: taken.why, cause: 'limit' };
        case 'unclear':
          return taken;
      }
    },
    async find({ key }) {
      try {
        const [newest, ...others] = await keeper.ofKey(key);
        if (newest === undefined) return { kind: 'none', accounting: true };
        const { state } = rowOf(newest, user, clock.now());
        return { kind: 'found', jobId: newest.id, state, others: others.map(({ id }) => id) };
      } catch (error) {
        return { kind: 'silence', why: errorLine(error) };
      }
    },
    async cancel(jobIds) {
      try {
        await keeper.cancel(jobIds);
        return { ok: true, said: '' };
      } catch (error) {
        return { ok: false, said: errorLine(error) };
      }
    },
    canceledAt: () => null,
    async resolveEnd({ jobId, key, exitRecord }): Promise<JobEnd> {
      const job = keeper.job(jobId);
      if (job === undefined || job.key !== key) {
        if (keeper.mayHide(jobId)) return { kind: 'unknown', why: 'the files of local jobs cannot be read' };
        const lost = `This host no longer knows job ${jobId}, and there is no exit record`;
        return fromRecord({ jobId, readExitRecord: async () => readExitRecord(exitRecord) }, lost);
      }
      const { state, reason, exitCode } = rowOf(job, user, clock.now());
      if (job.end === null) return { kind: 'alive', state, reason };
      return { kind: 'ended', outcome: outcomes[job.end.state], state, exitCode, reason, how: 'record' };
    },
    change: async () => ({ ok: false, said: `${withoutSlurm} A job can be canceled, and nothing else.` }),
    async describe(jobId) {
      const job = keeper.job(jobId);
      if (job === undefined) return { kind: 'unknown-job' };
      return { kind: 'job', job: detailsOf(job, user, clock.now()) };
    },
    cluster: async () => ({ kind: 'silence', why: withoutSlurm }),
  };
}

const withoutSlurm = 'This worker runs its jobs itself, without Slurm.';

const outcomes = { COMPLETED: 'succeeded', FAILED: 'failed', CANCELLED: 'canceled' } as const;

/** What the keeper knows, in the form in which Slurm's answers come. */
function trackLocal(
  keeper: JobSupervisor,
  user: string,
  { clock, log }: Pick<LocalOptions, 'clock' | 'log'>,
): Tracker {
  const listeners = new Set<(view: TrackedJobs) => void>();
  let view: TrackedJobs = { rows: [], at: null, trouble: null };
  let byId = new Map<string, JobRow>();
  let stopping: AbortController | null = null;
  let waking = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  function tell({ answered, problem: trouble }: PollResult): void {
    if (trouble !== null && trouble !== view.trouble) log.error({ why: trouble }, 'trouble with local jobs');
    const at = answered ? clock.now() : view.at;
    const rows = keepRows(
      byId,
      keeper.jobs().map((job) => rowOf(job, user, clock.now())),
    );
    byId = new Map(rows.map((row) => [row.id, row]));
    view = { rows: keepArray(view.rows, rows), at, trouble };
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
      const news = AbortSignal.any([signal, waking.signal]);
      tell(await keeper.poll());
      await clock.sleep(shortestGapMs, signal);
      await clock.sleep(lookEveryMs - shortestGapMs, news);
    }
  }

  return {
    start() {
      if (stopping !== null) return;
      stopping = new AbortController();
      loop = follow(stopping.signal);
    },
    async stop() {
      stopping?.abort();
      await loop;
      await keeper.settled();
      stopping = null;
    },
    view: () => view,
    // nobody else's jobs run here
    allJobs: () => view,
    includeAllUsers: () => () => undefined,
    row: (jobId) => byId.get(jobId),
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pollSoon: () => waking.abort(),
    everyMs: () => null,
    setPollInterval: () => undefined,
  };
}
