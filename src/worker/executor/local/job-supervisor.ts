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
  /** Jobs that run at one time. */
  concurrency: number;
  /** How long only the batch script of a canceled job is asked to end, which asks its container. 0: all of the job is. */
  graceMs: number;
  clock: Clock;
  log: Log;
  /** A job has ended, or may start: look soon. */
  onChange: () => void;
}

/** What a new job is made of. */
export type NewJob = Omit<LocalJob, 'id' | 'submittedAt' | 'startingAt' | 'process' | 'cancelAt' | 'end'>;

/** How a new job was taken. `unclear`: a file of it may be there, and will be found. */
export type AddResult =
  | { kind: 'taken'; id: string }
  | { kind: 'refused'; why: string }
  | { kind: 'unclear'; why: string };

export interface PollResult {
  /** The jobs of earlier workers are known. */
  answered: boolean;
  /** What went wrong. */
  problem: string | null;
}

/** The jobs of this host. What is done to one is on the disk first; one thing is done at a time. */
export interface JobSupervisor {
  /** In the order in which they came. Before the first look: none. */
  jobs(): LocalJob[];
  job(id: string): LocalJob | undefined;
  add(job: NewJob): Promise<AddResult>;
  /** Jobs of a run, newest first. @throws as long as a file could hide one */
  ofKey(key: string): Promise<LocalJob[]>;
  /** Whether a job of this number may be there, although {@link job} does not know it. */
  mayHide(id: string): boolean;
  /** @throws if it cannot be written down */
  cancel(ids: readonly string[]): Promise<void>;
  /** Looks after every job: notes what ended, starts what may start, ends what was canceled. Never throws. */
  poll(): Promise<PollResult>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

/** Between SIGTERM to the whole job and SIGKILL, as Slurm's `KillWait`. */
export const killAfterMs = 30_000;
/** So long an ended job is listed, as Slurm's `MinJobAge`. */
const listedMs = 300_000;
/** Why a process cannot be started just now: too many of them, or too many open files. */
const passing = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

export function createJobSupervisor(options: JobSupervisorOptions): JobSupervisor {
  const { spool, processes, concurrency, graceMs, clock, log, onChange: onNews } = options;
  const jobs = new Map<string, LocalJob>();
  /** Started by this worker, which is told how they end. */
  const children = new Map<string, { process: LocalJob['process']; how: ProcessEnd | null }>();
  /** When a job was canceled and when it ended, by the clock that never jumps; the time on the disk is for people. */
  const canceledAt = new Map<string, number>();
  const endedAt = new Map<string, number>();
  /** Canceled jobs, and who of them was sent SIGTERM last. */
  const asked = new Map<string, 'leader' | 'group'>();
  /** Started somewhere else, where nobody here can look. */
  const away = new Set<string>();
  let strange: readonly string[] = [];
  let lastId = 0;
  /** By the same clock. */
  let loadedAt: number | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };

  async function load(): Promise<void> {
    if (loadedAt !== null) return;
    const found = await spool.load();
    // what is known here is what the disk has
    for (const job of found.jobs) if (!jobs.has(job.id)) jobs.set(job.id, job);
    strange = found.unreadable;
    lastId = Math.max(lastId, 0, ...[...jobs.keys(), ...strange].map(Number));
    if (strange.length > 0) {
      log.error({ directory: spool.directory, jobs: strange }, 'files of local jobs that cannot be read');
    }
    loadedAt = clock.monotonic();
  }

  /** The disk first: what it does not know must not happen. */
  async function change(job: LocalJob, changes: Partial<LocalJob>): Promise<LocalJob> {
    const next = { ...job, ...changes };
    await spool.save(next);
    jobs.set(job.id, next);
    return next;
  }

  /** Nothing needs its arguments any more, which may hold secrets. */
  async function close(job: LocalJob, end: Omit<NonNullable<LocalJob['end']>, 'at'>): Promise<void> {
    const at = clock.now();
    await change(job, { end: { at, ...end }, scriptArgs: [], env: {} });
    endedAt.set(job.id, clock.monotonic());
    for (const each of [children, canceledAt, asked, away]) each.delete(job.id);
  }

  /** @param how null if nobody saw it end; then its exit record has to tell */
  async function finish(job: LocalJob, how: ProcessEnd | null): Promise<void> {
    await processes.killLeftovers(job, how === null ? null : (job.process?.pid ?? null));
    const record = await readExitRecord(job.exitRecord);
    const code = record?.jobId === job.id ? record.exitCode : (how?.code ?? null);
    const name = how?.signal ?? null;
    const signal = name === null ? 0 : system.signals[name];
    const isKnown = code !== null || signal !== 0;
    const isGood = code === 0 && signal === 0;
    await close(job, {
      state: job.cancelAt !== null ? 'CANCELLED' : isGood ? 'COMPLETED' : 'FAILED',
      exitCode: isKnown ? { code: code ?? 0, signal } : null,
      reason: isKnown ? '' : 'it ended without a word about how',
    });
  }

  async function attend(job: LocalJob): Promise<void> {
    if (job.end !== null) return forget(job);
    if (job.startingAt === null) return;
    const child = children.get(job.id);
    if (child !== undefined) {
      if (child.how !== null) return finish(job, child.how);
      // the disk was full when it was to be noted
      if (job.process === null && child.process !== null) {
        return press(await change(job, { process: child.process }));
      }
    } else if (job.process === null) {
      return takeUp(job);
    } else {
      const where = await processes.stateOf(job.process);
      if (where === 'dead' || (where === 'out of reach' && (await hasRecord(job)))) return finish(job, null);
      if (where === 'out of reach') return reachFor(job, job.process.host);
    }
    await press(job);
  }

  /** An earlier worker wrote down that it starts the job, and not that it did. */
  async function takeUp(job: LocalJob): Promise<void> {
    const process = await processes.findStarted(job);
    if (process !== null) return press(await change(job, { process }));
    if (await hasRecord(job)) return finish(job, null);
    if (job.cancelAt !== null) return close(job, { ...canceled, reason: '' });
    await change(job, { startingAt: null });
  }

  /** Begins to end a canceled job at once: where no worker runs, nobody would look after it. */
  async function end(job: LocalJob): Promise<void> {
    await attend(job).catch((error: unknown) =>
      log.warn(
        { job: job.id, why: errorLine(error) },
        'a canceled job is ended when it is looked after next',
      ),
    );
  }

  /**
   * Ends a canceled job: first with SIGTERM to its script, so that the process that serves the image's files lives until the
   * container has ended; then with SIGTERM to all of it, and later with SIGKILL, as often as it takes.
   */
  async function press({ id, process, cancelAt }: LocalJob): Promise<void> {
    if (process === null || cancelAt === null) return;
    const since = sinceCancel(id, cancelAt);
    const whom = since < graceMs ? 'leader' : 'group';
    if (since >= graceMs + killAfterMs) {
      await processes.signal(process, 'SIGKILL', 'group');
    } else if (asked.get(id) !== whom) {
      asked.set(id, whom);
      await processes.signal(process, 'SIGTERM', whom);
    }
  }

  /** Milliseconds since a job was canceled. If an earlier worker did that, only the time of day tells when. */
  function sinceCancel(id: string, cancelAt: number): number {
    const now = clock.monotonic();
    const at = canceledAt.get(id) ?? now - Math.max(0, clock.now() - cancelAt);
    canceledAt.set(id, at);
    return now - at;
  }

  /** Only its exit record can tell of it; nobody waits for that any longer once it is canceled. */
  async function reachFor(job: LocalJob, host: string): Promise<void> {
    if (!away.has(job.id))
      log.warn({ job: job.id, host }, 'a local job was started where nobody here can look');
    away.add(job.id);
    if (job.cancelAt === null || sinceCancel(job.id, job.cancelAt) < killAfterMs) return;
    log.warn({ job: job.id, host }, 'a canceled job could not be reached, and may go on where it is');
    await close(job, { ...canceled, reason: `it was started on ${host} and could not be reached` });
  }

  async function forget(job: LocalJob): Promise<void> {
    // a worker that was away needs time to ask; the last one stays, so that no number is given twice
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
      if (passing.has(systemCode(error) ?? '')) {
        await change(intent, { startingAt: null });
        throw error;
      }
      const reason = `it could not be started: ${errorLine(error)}`;
      return close(intent, { state: 'FAILED', exitCode: null, reason });
    }
    const { process, ended } = started;
    const child = { process, how: null as ProcessEnd | null };
    children.set(job.id, child);
    void (async () => {
      child.how = await ended;
      onNews();
    })();
    if (process !== null) await change(intent, { process });
  }

  async function look(): Promise<PollResult> {
    const troubles: string[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        troubles.push(`Jobs of this host cannot be looked after: ${errorLine(error)}`);
      }
    };
    await attempt(load);
    if (loadedAt === null) return { answered: false, problem: troubles[0] ?? null };
    for (const job of jobs.values()) await attempt(async () => attend(job));
    const open = [...jobs.values()].filter(({ end }) => end === null);
    const running = open.filter(({ id, startingAt }) => startingAt !== null && !away.has(id));
    const waiting = open.filter(({ startingAt }) => startingAt === null);
    const before = troubles.length;
    for (const job of waiting.slice(0, Math.max(0, concurrency - running.length))) {
      await attempt(async () => begin(job));
      if (troubles.length > before) break;
    }
    if (away.size > 0) troubles.push(`Started where nobody here can look: job ${[...away].join(', ')}.`);
    if (strange.length > 0)
      troubles.push(`Files in ${spool.directory} cannot be read: ${strange.join(', ')}.`);
    return { answered: true, problem: troubles[0] ?? null };
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
      const why = `the job could not be written down: ${errorLine(error)}`;
      try {
        await spool.remove(id);
        return { kind: 'refused', why };
      } catch {
        // its file may be there or not: the disk is asked before anything else
        loadedAt = null;
        return { kind: 'unclear', why };
      }
    }
    jobs.set(id, job);
    onNews();
    return { kind: 'taken', id };
  }

  return {
    jobs: () => [...jobs.values()],
    job: (id) => jobs.get(id),
    add: async (job) => inTurn(async () => add(job)),
    ofKey: async (key) =>
      inTurn(async () => {
        await load();
        const found = [...jobs.values()].filter((job) => job.key === key).reverse();
        if (found.length === 0 && strange.length > 0) {
          throw new Error(`files in ${spool.directory} cannot be read: ${strange.join(', ')}`);
        }
        return found;
      }),
    mayHide: (id) => loadedAt === null || strange.includes(id),
    cancel: async (ids) =>
      inTurn(async () => {
        await load();
        for (const id of ids) {
          const job = jobs.get(id);
          if (job === undefined || job.end !== null || job.cancelAt !== null) continue;
          if (job.startingAt === null) {
            await close({ ...job, cancelAt: clock.now() }, { ...canceled, reason: '' });
          } else {
            const noted = await change(job, { cancelAt: clock.now() });
            canceledAt.set(id, clock.monotonic());
            await end(noted);
          }
        }
        onNews();
      }),
    poll: async () => inTurn(look),
    settled: async () => {
      await turn;
    },
  };
}

const canceled = { state: 'CANCELLED', exitCode: null } as const;

async function hasRecord(job: LocalJob): Promise<boolean> {
  return (await readExitRecord(job.exitRecord))?.jobId === job.id;
}
