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
  /** Maximum number of concurrent jobs. */
  concurrency: number;
  /** Time in milliseconds between SIGTERM to a canceled job's script and to all of its processes; 0 for a script that passes
   * no signals on. */
  graceMs: number;
  /** Environment of every job. */
  env: Readonly<Record<string, string | undefined>>;
  /** Called when a script that this worker started has ended. */
  onCommand?: (record: CommandRecord) => void;
  clock: Clock;
  log: Log;
  /** For tests. */
  spool?: Spool;
  processes?: Processes;
}

/** How often jobs are polled. The end of a child process is noticed at once. */
const pollMs = 1_000;
/** Shortest time between two polls. */
const minPollMs = 100;

/**
 * Runs jobs on this host, without Slurm: the same batch script, a few at a time, each in its own process group. Jobs
 * outlive the worker; the next one finds them in the spool.
 */
export function createLocalExecutor(options: LocalOptions): Executor {
  const { concurrency, graceMs, clock, log } = options;
  const user = userInfo().username;
  const supervisor = createJobSupervisor({
    spool: options.spool ?? createSpool(join(options.stateDirectory, 'local-jobs')),
    processes: options.processes ?? createProcesses(options.env, options.onCommand),
    concurrency,
    graceMs,
    clock,
    log,
    onChange: () => tracker.pollSoon(),
  });
  const tracker = trackLocal(supervisor, user, options);

  return {
    jobNoun: 'local job',
    name: 'This host',
    owner: ownerMessages,
    cancelCommand: 'cancel',
    stateSource: 'host',
    visibilityDelayMs: 0,
    tracker,
    // the supervisor polls them
    records: { watch: () => () => undefined },
    async submit({ key, directory, logFile, streams, script, scriptArgs, env }) {
      const added = await supervisor.add({
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
      switch (added.kind) {
        case 'added':
          return { kind: 'submitted', jobId: added.id, cluster: null };
        case 'refused':
          // for example a full disk: temporary, and shown to the operator
          log.warn({ why: added.why }, 'could not accept a local job; retrying');
          return { kind: 'refused', message: added.why, cause: 'limit' };
        case 'unclear':
          return added;
      }
    },
    async find({ key }) {
      try {
        const [newest, ...others] = await supervisor.ofKey(key);
        if (newest === undefined) return { kind: 'none', accounting: true };
        const { state } = rowOf(newest, user, clock.now());
        return { kind: 'found', jobId: newest.id, state, others: others.map(({ id }) => id) };
      } catch (error) {
        return { kind: 'silence', why: errorLine(error) };
      }
    },
    async cancel(jobIds) {
      try {
        await supervisor.cancel(jobIds);
        return { ok: true, message: '' };
      } catch (error) {
        return { ok: false, message: errorLine(error) };
      }
    },
    canceledAt: () => null,
    cancelSettled: async () => undefined,
    async resolveEnd({ jobId, key, exitRecord }): Promise<JobEnd> {
      const job = supervisor.job(jobId);
      if (job === undefined || job.key !== key) {
        if (supervisor.mayHide(jobId))
          return { kind: 'unknown', why: 'the files of local jobs cannot be read' };
        const lost = `This host no longer knows job ${jobId}, and there is no exit record`;
        return fromRecord({ jobId, readExitRecord: async () => readExitRecord(exitRecord) }, lost);
      }
      const { state, reason, exitCode } = rowOf(job, user, clock.now());
      if (job.end === null) return { kind: 'alive', state, reason };
      return { kind: 'ended', outcome: outcomes[job.end.state], state, exitCode, reason, how: 'record' };
    },
    change: async () => ({ ok: false, message: `${withoutSlurm} Its jobs can only be canceled.` }),
    changeNodes: async () => ({ ok: false, message: withoutSlurm }),
    async describe(jobId) {
      const job = supervisor.job(jobId);
      if (job === undefined) return { kind: 'unknown-job' };
      return { kind: 'job', job: detailsOf(job, user, clock.now()) };
    },
    batchScript: async () => ({ kind: 'silence', why: withoutSlurm }),
    cluster: async () => ({ kind: 'silence', why: withoutSlurm }),
    schedulerStatistics: async () => ({ kind: 'silence', why: withoutSlurm }),
    accountedJobs: async () => ({ kind: 'silence', why: withoutSlurm }),
  };
}

const withoutSlurm = 'This worker runs its jobs without Slurm.';

const outcomes = { COMPLETED: 'succeeded', FAILED: 'failed', CANCELLED: 'canceled' } as const;

/** Presents the supervisor's jobs as a tracker of Slurm jobs. */
function trackLocal(
  supervisor: JobSupervisor,
  user: string,
  { clock, log }: Pick<LocalOptions, 'clock' | 'log'>,
): Tracker {
  const listeners = new Set<(view: TrackedJobs) => void>();
  let view: TrackedJobs = { rows: [], at: null, problem: null };
  let byId = new Map<string, JobRow>();
  let askedAt: number | null = null;
  let stopping: AbortController | null = null;
  let waking = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  function publish({ answered, problem }: PollResult): void {
    if (problem !== null && problem !== view.problem)
      log.error({ why: problem }, 'could not supervise local jobs');
    const at = answered ? clock.now() : view.at;
    if (answered) askedAt = clock.monotonic();
    const rows = keepRows(
      byId,
      supervisor.jobs().map((job) => rowOf(job, user, clock.now())),
    );
    byId = new Map(rows.map((row) => [row.id, row]));
    view = { rows: keepArray(view.rows, rows), at, problem };
    for (const listener of listeners) {
      try {
        listener(view);
      } catch (error) {
        log.error({ error: errorLine(error) }, 'a listener for job updates failed');
      }
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      waking = new AbortController();
      const wake = AbortSignal.any([signal, waking.signal]);
      publish(await supervisor.poll());
      await clock.sleep(minPollMs, signal);
      await clock.sleep(pollMs - minPollMs, wake);
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
      await supervisor.settled();
      stopping = null;
    },
    view: () => view,
    // no other users' jobs run here
    allJobs: () => view,
    includeAllUsers: () => () => undefined,
    row: (jobId) => byId.get(jobId),
    askedAt: () => askedAt,
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pollSoon: () => waking.abort(),
    everyMs: () => null,
    setPollInterval: () => undefined,
  };
}
