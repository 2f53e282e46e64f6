import { constants as system } from 'node:os';

import type { Clock } from '../../../base/clock.js';
import { errorLine, systemCode } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import { readExitRecord } from '../../../slurm/exit-record.js';
import type { ProcessEnd, Processes } from './processes.js';
import type { LocalJob, Spool } from './spool.js';

export interface JobSupervisorOptions {
  spool: Spool;
  processes: Processes;
  /** Maximum number of concurrent jobs. */
  concurrency: number;
  /** Time in milliseconds between SIGTERM to a canceled job's script, which passes it on, and to its whole process group. */
  graceMs: number;
  clock: Clock;
  log: Log;
  /** Called when a job has ended or may start, to poll soon. */
  onChange: () => void;
}

/** The properties of a new job. */
export type NewJob = Omit<LocalJob, 'id' | 'submittedAt' | 'startingAt' | 'process' | 'cancelAt' | 'end'>;

/** `unclear`: its file may exist, and is found later if it does. */
export type AddResult =
  | { kind: 'added'; id: string }
  | { kind: 'refused'; why: string }
  | { kind: 'unclear'; why: string };

export interface PollResult {
  /** The jobs of earlier workers have been loaded. */
  answered: boolean;
  /** The first error. */
  problem: string | null;
}

/** Runs the jobs of this host. Operations are serialized, and each is on the disk before it takes effect. */
export interface JobSupervisor {
  /** In submission order. Empty before the first poll. */
  jobs(): LocalJob[];
  job(id: string): LocalJob | undefined;
  add(job: NewJob): Promise<AddResult>;
  /** Jobs of a run, newest first. @throws while an unreadable file could be one of them */
  ofKey(key: string): Promise<LocalJob[]>;
  /** Whether a job with this id may exist although {@link job} does not know it. */
  mayHide(id: string): boolean;
  /** @throws if it cannot be saved */
  cancel(ids: readonly string[]): Promise<void>;
  /** Records ended jobs, starts waiting ones and ends canceled ones. Never throws. */
  poll(): Promise<PollResult>;
  /** Resolves when no operation is pending. */
  settled(): Promise<void>;
}

/** Time between SIGTERM to the whole job and SIGKILL, like Slurm's `KillWait`. */
export const killAfterMs = 30_000;
/** How long an ended job stays listed, like Slurm's `MinJobAge`. */
const listedMs = 300_000;
/** Temporary errors of starting a process: too many processes or open files. */
const temporaryErrors = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

export function createJobSupervisor(options: JobSupervisorOptions): JobSupervisor {
  const { spool, processes, concurrency, graceMs, clock, log, onChange: onNews } = options;
  const jobs = new Map<string, LocalJob>();
  /** Jobs that this worker started, so that it gets their exit status. */
  const children = new Map<string, { process: LocalJob['process']; status: ProcessEnd | null }>();
  /** Monotonic times; the times on the disk are for display. */
  const canceledAt = new Map<string, number>();
  const endedAt = new Map<string, number>();
  /** What was sent SIGTERM last, by canceled job. */
  const signaled = new Map<string, 'leader' | 'group'>();
  /** Jobs on another host or in another container. */
  const unreachable = new Set<string>();
  let unreadable: readonly string[] = [];
  let lastId = 0;
  /** Monotonic. */
  let loadedAt: number | null = null;
  let pending: Promise<unknown> = Promise.resolve();

  const serialized = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = pending.then(work);
    pending = result.catch(() => undefined);
    return result;
  };

  async function load(): Promise<void> {
    if (loadedAt !== null) return;
    const found = await spool.load();
    // a job in memory is at least as recent as its file
    for (const job of found.jobs) if (!jobs.has(job.id)) jobs.set(job.id, job);
    unreadable = found.unreadable;
    lastId = Math.max(lastId, 0, ...[...jobs.keys(), ...unreadable].map(Number));
    if (unreadable.length > 0) {
      log.error({ directory: spool.directory, jobs: unreadable }, 'could not read files of local jobs');
    }
    loadedAt = clock.monotonic();
  }

  /** Saves a change before it takes effect. */
  async function change(job: LocalJob, changes: Partial<LocalJob>): Promise<LocalJob> {
    const next = { ...job, ...changes };
    await spool.save(next);
    jobs.set(job.id, next);
    return next;
  }

  /** Records the end of a job and removes its arguments, which may contain secrets. */
  async function close(job: LocalJob, end: Omit<NonNullable<LocalJob['end']>, 'at'>): Promise<void> {
    const at = clock.now();
    await change(job, { end: { at, ...end }, scriptArgs: [], env: {} });
    endedAt.set(job.id, clock.monotonic());
    for (const each of [children, canceledAt, signaled, unreachable]) each.delete(job.id);
  }

  /** @param status null if this worker did not see it end; its exit record then decides */
  async function finish(job: LocalJob, status: ProcessEnd | null): Promise<void> {
    await processes.killLeftovers(job, status === null ? null : (job.process?.pid ?? null));
    const record = await readExitRecord(job.exitRecord);
    const code = record?.jobId === job.id ? record.exitCode : (status?.code ?? null);
    const name = status?.signal ?? null;
    const signal = name === null ? 0 : system.signals[name];
    const isKnown = code !== null || signal !== 0;
    const isGood = code === 0 && signal === 0;
    await close(job, {
      state: job.cancelAt !== null ? 'CANCELLED' : isGood ? 'COMPLETED' : 'FAILED',
      exitCode: isKnown ? { code: code ?? 0, signal } : null,
      reason: isKnown ? '' : 'it left no exit status',
    });
  }

  async function update(job: LocalJob): Promise<void> {
    if (job.end !== null) return forget(job);
    if (job.startingAt === null) return;
    const child = children.get(job.id);
    if (child !== undefined) {
      if (child.status !== null) return finish(job, child.status);
      // saving it failed before, for example because the disk was full
      if (job.process === null && child.process !== null) {
        return signalCanceled(await change(job, { process: child.process }));
      }
    } else if (job.process === null) {
      return recoverStart(job);
    } else {
      const where = await processes.stateOf(job.process);
      if (where === 'dead' || (where === 'out of reach' && (await hasRecord(job)))) return finish(job, null);
      if (where === 'out of reach') return updateUnreachable(job, job.process.host);
    }
    await signalCanceled(job);
  }

  /** An earlier worker saved the intent to start the job, but not the result. */
  async function recoverStart(job: LocalJob): Promise<void> {
    const process = await processes.findStarted(job);
    if (process !== null) return signalCanceled(await change(job, { process }));
    if (await hasRecord(job)) return finish(job, null);
    if (job.cancelAt !== null) return close(job, { ...canceled, reason: '' });
    await change(job, { startingAt: null });
  }

  /** Signals a canceled job at once, because this worker may stop before the next poll. */
  async function end(job: LocalJob): Promise<void> {
    await update(job).catch((error: unknown) =>
      log.warn(
        { job: job.id, why: errorLine(error) },
        'could not signal a canceled job; retrying at the next poll',
      ),
    );
  }

  /**
   * Ends a canceled job: first SIGTERM to its script, so that the process that mounts the image lives until the container
   * has ended; then SIGTERM to its process group, and later SIGKILL until it has ended.
   */
  async function signalCanceled({ id, process, cancelAt }: LocalJob): Promise<void> {
    if (process === null || cancelAt === null) return;
    const since = sinceCancel(id, cancelAt);
    const target = since < graceMs ? 'leader' : 'group';
    if (since >= graceMs + killAfterMs) {
      await processes.signal(process, 'SIGKILL', 'group');
    } else if (signaled.get(id) !== target) {
      signaled.set(id, target);
      await processes.signal(process, 'SIGTERM', target);
    }
  }

  /** Milliseconds since a job was canceled: by the wall clock if an earlier worker canceled it. */
  function sinceCancel(id: string, cancelAt: number): number {
    const now = clock.monotonic();
    const at = canceledAt.get(id) ?? now - Math.max(0, clock.now() - cancelAt);
    canceledAt.set(id, at);
    return now - at;
  }

  /** Only the exit record can tell how it ended. A canceled job is given up after a while. */
  async function updateUnreachable(job: LocalJob, host: string): Promise<void> {
    if (!unreachable.has(job.id))
      log.warn({ job: job.id, host }, 'a local job was started on another host or in another container');
    unreachable.add(job.id);
    if (job.cancelAt === null || sinceCancel(job.id, job.cancelAt) < killAfterMs) return;
    log.warn({ job: job.id, host }, 'could not reach a canceled job; it may still be running');
    await close(job, { ...canceled, reason: `it was started on ${host} and could not be reached` });
  }

  async function forget(job: LocalJob): Promise<void> {
    // a restarted worker needs time to query it; the last job stays so that no id is reused
    const since = endedAt.get(job.id) ?? loadedAt ?? clock.monotonic();
    if (clock.monotonic() - since < listedMs || Number(job.id) === lastId) return;
    await spool.remove(job.id);
    jobs.delete(job.id);
    endedAt.delete(job.id);
  }

  async function begin(job: LocalJob): Promise<void> {
    const intent = await change(job, { startingAt: clock.now() });
    let started;
    try {
      started = await processes.start(intent);
    } catch (error) {
      if (temporaryErrors.has(systemCode(error) ?? '')) {
        await change(intent, { startingAt: null });
        throw error;
      }
      const reason = `it could not be started: ${errorLine(error)}`;
      return close(intent, { state: 'FAILED', exitCode: null, reason });
    }
    const { process, ended } = started;
    const child = { process, status: null as ProcessEnd | null };
    children.set(job.id, child);
    void (async () => {
      child.status = await ended;
      onNews();
    })();
    if (process !== null) await change(intent, { process });
  }

  async function poll(): Promise<PollResult> {
    const errors: string[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        errors.push(`Local jobs cannot be supervised: ${errorLine(error)}`);
      }
    };
    await attempt(load);
    if (loadedAt === null) return { answered: false, problem: errors[0] ?? null };
    for (const job of jobs.values()) await attempt(async () => update(job));
    const open = [...jobs.values()].filter(({ end }) => end === null);
    const running = open.filter(({ id, startingAt }) => startingAt !== null && !unreachable.has(id));
    const waiting = open.filter(({ startingAt }) => startingAt === null);
    const before = errors.length;
    for (const job of waiting.slice(0, Math.max(0, concurrency - running.length))) {
      await attempt(async () => begin(job));
      if (errors.length > before) break;
    }
    if (unreachable.size > 0)
      errors.push(`Running on another host or in another container: job ${[...unreachable].join(', ')}.`);
    if (unreadable.length > 0)
      errors.push(`Files in ${spool.directory} cannot be read: ${unreadable.join(', ')}.`);
    return { answered: true, problem: errors[0] ?? null };
  }

  async function add(made: NewJob): Promise<AddResult> {
    try {
      await load();
    } catch (error) {
      return { kind: 'refused', why: errorLine(error) };
    }
    lastId += 1;
    const id = String(lastId);
    const rest = { submittedAt: clock.now(), startingAt: null, process: null, cancelAt: null, end: null };
    const job: LocalJob = { ...made, id, ...rest };
    try {
      await spool.save(job);
    } catch (error) {
      const why = `the job could not be saved: ${errorLine(error)}`;
      try {
        await spool.remove(id);
        return { kind: 'refused', why };
      } catch {
        // its file may exist: reload before anything else
        loadedAt = null;
        return { kind: 'unclear', why };
      }
    }
    jobs.set(id, job);
    onNews();
    return { kind: 'added', id };
  }

  return {
    jobs: () => [...jobs.values()],
    job: (id) => jobs.get(id),
    add: async (job) => serialized(async () => add(job)),
    ofKey: async (key) =>
      serialized(async () => {
        await load();
        const found = [...jobs.values()].filter((job) => job.key === key).reverse();
        if (found.length === 0 && unreadable.length > 0) {
          throw new Error(`files in ${spool.directory} cannot be read: ${unreadable.join(', ')}`);
        }
        return found;
      }),
    mayHide: (id) => loadedAt === null || unreadable.includes(id),
    cancel: async (ids) =>
      serialized(async () => {
        await load();
        for (const id of ids) {
          const job = jobs.get(id);
          if (job === undefined || job.end !== null || job.cancelAt !== null) continue;
          if (job.startingAt === null) {
            await close({ ...job, cancelAt: clock.now() }, { ...canceled, reason: '' });
          } else {
            const saved = await change(job, { cancelAt: clock.now() });
            canceledAt.set(id, clock.monotonic());
            await end(saved);
          }
        }
        onNews();
      }),
    poll: async () => serialized(poll),
    settled: async () => {
      await pending;
    },
  };
}

const canceled = { state: 'CANCELLED', exitCode: null } as const;

async function hasRecord(job: LocalJob): Promise<boolean> {
  return (await readExitRecord(job.exitRecord))?.jobId === job.id;
}
