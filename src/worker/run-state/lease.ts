import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { DsaSlurmError, coerceError, errorLine, systemCode } from '../../base/errors.js';
import { describeSelf, isCertainlyDead, parseOwner, type ProcessIdentity } from './process-identity.js';

/*
 * The lock of a state directory that several hosts may share. `worker.lock/` holds one file per claim, `lease.<generation>`.
 *
 * - A claim is the exclusive creation of the file of the next generation, in which only one process can succeed, also on NFS and
 *   Lustre. The new holder then removes the files of lower generations. The highest one is never removed, so that no
 *   generation is claimed twice.
 * - The holder rewrites its file every `renewMs`. Others watch its content with their own monotonic clock: neither the clocks of
 *   two hosts nor the timestamps of a file server are ever compared.
 * - A holder whose last renewal is older than `leaseMs` no longer holds the lease until it has claimed the next generation.
 *   Others claim only after `takeoverMs` without a change, which is longer.
 * - The holder opens its file by name to confirm the lease, because opening makes an NFS client ask its server (close-to-open
 *   consistency). If the file is gone, another process has claimed a higher generation.
 */

/** A moment on both clocks. */
interface Mark {
  monotonic: number;
  boottime: number;
}

/** Clocks for leases, in milliseconds. Never the time of day, which can be set. */
export interface LeaseClock {
  /** CLOCK_MONOTONIC: includes time for which the process is stopped. */
  monotonic(): number;
  /** CLOCK_BOOTTIME: also includes time for which the host is suspended. */
  boottime(): number;
  /** Resolves after `ms` or when `signal` aborts; never rejects. `ref`: whether it keeps the process alive. */
  sleep(ms: number, options: { signal?: AbortSignal; ref: boolean }): Promise<void>;
}

export const systemLeaseClock: LeaseClock = {
  monotonic: () => performance.now(),
  boottime: () => uptime() * 1_000,
  async sleep(ms, options) {
    await delay(ms, undefined, options).catch(() => undefined);
  },
};

/** Durations of a lease, in milliseconds. */
export interface LeaseTimes {
  /** How long a renewal is valid. */
  leaseMs: number;
  /** Interval of renewals. */
  renewMs: number;
  /** How long a lease must be unchanged before it may be taken over. */
  takeoverMs: number;
  /** Interval of checks of another process's lease. */
  checkMs: number;
}

/** @param leaseSeconds setting `worker.leaseSeconds` */
export function leaseTimes(leaseSeconds: number): LeaseTimes {
  const leaseMs = leaseSeconds * 1_000;
  return { leaseMs, renewMs: leaseMs / 5, takeoverMs: takeoverAfter(leaseMs), checkMs: leaseMs / 8 };
}

/** A third longer, because the clocks of two hosts can run at slightly different rates. */
function takeoverAfter(leaseMs: number): number {
  return (leaseMs * 4) / 3;
}

/** For how many milliseconds `hold` relies on the last confirmation. */
const freshMs = 500;
const lockDirectoryName = 'worker.lock';
const leaseFile = /^lease\.(?<generation>\d{1,15})$/;

/** A lease as it was read. */
export interface SeenLease {
  /** 0 for the lock of version 0.1, which had no leases. */
  generation: number;
  /** Changes with each renewal. */
  signature: string;
  /** Null if it cannot be read. */
  owner: ProcessIdentity | null;
  /** Released by its owner. */
  isFree: boolean;
  /** How long its owner relies on a renewal; 0 if unknown. */
  leaseMs: number;
}

interface LeaseContent {
  id: string;
  generation: number;
  leaseMs: number;
  renewal: number;
  state: 'held' | 'free';
  owner: ProcessIdentity;
}

/** Always has the same length for the same holder, so that one write replaces it in place. */
function leaseText({ renewal, ...content }: LeaseContent): string {
  return `${JSON.stringify({ ...content, renewal: String(renewal).padStart(12, '0') })}\n`;
}

function parseLease(generation: number, text: string): SeenLease {
  const unknown = { generation, signature: text, owner: null, isFree: false, leaseMs: 0 };
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return unknown;
    return {
      ...unknown,
      owner: 'owner' in value ? parseOwner(JSON.stringify(value.owner)) : null,
      isFree: 'state' in value && value.state === 'free',
      leaseMs: 'leaseMs' in value && typeof value.leaseMs === 'number' ? value.leaseMs : 0,
    };
  } catch {
    // read during a write, which is a change all the same
    return unknown;
  }
}

async function generations(lockDirectory: string): Promise<number[]> {
  const names = await readdir(lockDirectory);
  return names
    .map((name) => leaseFile.exec(name)?.groups?.['generation'])
    .filter((text) => text !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

function pathOf(lockDirectory: string, generation: number): string {
  return join(lockDirectory, `lease.${generation}`);
}

/**
 * Reads the newest lease of a state directory; null if there was never one.
 * @throws the error of the file system
 */
export async function readLease(stateDirectory: string): Promise<SeenLease | null> {
  const lockDirectory = join(stateDirectory, lockDirectoryName);
  for (let attempt = 1; ; attempt += 1) {
    const newest = await generations(lockDirectory).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (newest === null) return null;
    const generation = newest.at(-1);
    if (generation === undefined) return readOldLock(stateDirectory, lockDirectory);
    try {
      return parseLease(generation, await readFile(pathOf(lockDirectory, generation), 'utf8'));
    } catch (error) {
      // NFS may have cached the listing from before a takeover
      if ((systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ESTALE') || attempt >= 3) throw error;
      await refreshListing(lockDirectory);
    }
  }
}

/** Changes the directory, so that an NFS client reads it again. */
async function refreshListing(lockDirectory: string): Promise<void> {
  const path = join(lockDirectory, `look.${randomBytes(6).toString('hex')}`);
  await (await open(path, 'wx', 0o600)).close();
  await rm(path, { force: true });
}

/** Version 0.1 renewed the mtime of the directory, and had its owner in a separate file. */
async function readOldLock(stateDirectory: string, lockDirectory: string): Promise<SeenLease | null> {
  const text = await readFile(join(stateDirectory, 'worker.owner'), 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const { mtimeMs } = await stat(lockDirectory);
  return { generation: 0, signature: String(mtimeMs), owner: parseOwner(text), isFree: false, leaseMs: 0 };
}

/**
 * Creates the lease of a generation, and removes those of lower generations.
 * @returns false if another process has this generation or a higher one
 */
async function claim(lockDirectory: string, content: LeaseContent): Promise<boolean> {
  const { generation } = content;
  const path = pathOf(lockDirectory, generation);
  let file;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    try {
      await file.writeFile(leaseText(content));
      await file.datasync();
    } finally {
      await file.close();
    }
    const all = await generations(lockDirectory);
    if (all.at(-1) !== generation) {
      await rm(path, { force: true });
      return false;
    }
    // the previous holder then finds its file gone
    for (const lower of all.slice(0, -1)) await rm(pathOf(lockDirectory, lower), { force: true });
    return true;
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Observes another process's lease to find out when it has expired. */
export function createObserver(clock: LeaseClock, times: LeaseTimes) {
  const now = createMarks(clock);
  let signature: string | null = null;
  let unchangedSince = now.mark();
  let checkedAt = unchangedSince;
  let changes = 0;
  return {
    /** Compares a lease that was just read with the last one. Returns whether its holder can no longer rely on it. */
    isExpired(seen: SeenLease): boolean {
      const current = `${seen.generation} ${seen.signature}`;
      // the holder cannot renew while the file server is unavailable, so unobserved time does not count
      const isGap = now.since(checkedAt) > times.leaseMs / 2;
      checkedAt = now.mark();
      if (current !== signature || isGap) {
        if (signature !== null && current !== signature) changes += 1;
        signature = current;
        unchangedSince = checkedAt;
        return false;
      }
      return now.since(unchangedSince) >= Math.max(times.takeoverMs, takeoverAfter(seen.leaseMs));
    },
    /** Number of observed changes. */
    changes: () => changes,
  };
}

function createMarks(clock: LeaseClock) {
  return {
    mark: (): Mark => ({ monotonic: clock.monotonic(), boottime: clock.boottime() }),
    since: ({ monotonic, boottime }: Mark): number =>
      Math.max(clock.monotonic() - monotonic, clock.boottime() - boottime),
  };
}

export interface LeaseOptions {
  times: LeaseTimes;
  clock: LeaseClock;
  /** Called once, when another process has taken over: from then on nothing may be written. */
  onLost: (reason: string) => void;
  /** Called with the reason why the lease cannot be renewed at present, and with null when it can again. */
  onProblem: (problem: string | null) => void;
  /** Until it aborts, calls wait for a file system that does not answer. */
  stopping: AbortSignal;
}

/** A held lease. It is renewed until it is released or lost. */
export interface Lease {
  /** Generation of the last claim. */
  generation(): number;
  /**
   * Resolves once this process is known to hold the lease. Await it before each write that must not be made by two workers. Waits
   * while the file system does not answer.
   * @throws DsaSlurmError `worker` if the lease is lost, or if it cannot be confirmed while the worker stops
   */
  hold(): Promise<void>;
  /** Like {@link hold}, but always asks the file system: a later holder then sees what was written before. */
  confirm(): Promise<void>;
  isLost(): boolean;
  /** Releases the lease, so that others need not wait until it expires. Never rejects. */
  release(): Promise<void>;
}

/**
 * Claims the lease after `previous`.
 * @returns null if another process was faster
 */
export async function claimLease(
  stateDirectory: string,
  previous: SeenLease | null,
  { times, clock, onLost, onProblem, stopping }: LeaseOptions,
): Promise<Lease | null> {
  const lockDirectory = join(stateDirectory, lockDirectoryName);
  const { mark, since } = createMarks(clock);
  await mkdir(lockDirectory, { mode: 0o700 }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
  const content: LeaseContent = {
    id: randomBytes(8).toString('hex'),
    generation: (previous?.generation ?? 0) + 1,
    leaseMs: times.leaseMs,
    renewal: 0,
    state: 'held',
    owner: await describeSelf(),
  };
  let renewed = mark();
  let confirmed = renewed;
  if (!(await claim(lockDirectory, content))) return null;

  const over = new AbortController();
  let lost: string | null = null;
  const isValid = (): boolean => since(renewed) < times.leaseMs;

  function lose(reason: string): void {
    if (lost !== null || over.signal.aborted) return;
    lost = reason;
    over.abort();
    onLost(reason);
  }

  async function loseToOther(): Promise<void> {
    const { owner } = (await readLease(stateDirectory).catch(() => null)) ?? { owner: null };
    const holder = owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}`;
    lose(`the state directory was taken over by ${holder}`);
  }

  /** Reads the own file and writes `change` to it. False if this process no longer holds the lease. */
  async function readOrUpdate(
    change: Partial<Pick<LeaseContent, 'renewal' | 'state'>> | null,
  ): Promise<boolean> {
    const path = pathOf(lockDirectory, content.generation);
    try {
      const file = await open(path, change === null ? 'r' : 'r+');
      try {
        if (!(await file.readFile('utf8')).includes(content.id)) return false;
        if (change !== null) {
          Object.assign(content, change);
          const text = leaseText(content);
          await file.write(text, 0);
          await file.datasync();
        }
        return true;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESTALE') return false;
      throw error;
    }
  }

  async function renew(): Promise<void> {
    const began = mark();
    if (await readOrUpdate({ renewal: content.renewal + 1 })) renewed = began;
    else await loseToOther();
  }

  /** Claims the next generation after the lease has expired; another process can be faster. */
  async function reclaim(): Promise<void> {
    const began = mark();
    const next = { ...content, generation: content.generation + 1 };
    if (await claim(lockDirectory, next)) {
      content.generation = next.generation;
      renewed = began;
      confirmed = began;
    } else await loseToOther();
  }

  // one operation at a time: a hanging file system then blocks only one of Node's four threads
  const ask = createSingleFile();

  async function confirm(): Promise<void> {
    for (;;) {
      if (lost !== null) throw lostError(lost);
      if (over.signal.aborted) throw lostError('this worker has stopped');
      try {
        if (!isValid()) await ask('reclaim', async () => (isValid() ? undefined : reclaim()));
        else {
          await ask('read', async () => {
            const began = mark();
            if (await readOrUpdate(null)) confirmed = began;
            else await loseToOther();
          });
          if (lost === null && isValid()) return;
        }
      } catch (error) {
        onProblem(describeProblem(error));
        if (stopping.aborted) throw lostError(`the state directory does not answer: ${errorLine(error)}`);
        await clock.sleep(times.renewMs, { signal: AbortSignal.any([over.signal, stopping]), ref: true });
      }
    }
  }

  async function keepRenewing(): Promise<void> {
    for (;;) {
      await clock.sleep(times.renewMs, { signal: over.signal, ref: false });
      if (over.signal.aborted) return;
      const answered = new AbortController();
      void reportSilence(answered.signal);
      try {
        await ask('renew', async () => (isValid() ? renew() : reclaim()));
        onProblem(null);
      } catch (error) {
        onProblem(describeProblem(error));
      } finally {
        answered.abort();
      }
    }
  }

  /** Reports a file system that hangs, which gives no error. */
  async function reportSilence(answered: AbortSignal): Promise<void> {
    await clock.sleep(times.leaseMs, { signal: AbortSignal.any([answered, over.signal]), ref: false });
    if (!answered.aborted && !over.signal.aborted) onProblem(describeProblem('it does not answer'));
  }
  const renewing = keepRenewing();

  return {
    generation: () => content.generation,
    async hold() {
      if (lost === null && !over.signal.aborted && since(confirmed) < freshMs && isValid()) return;
      await confirm();
    },
    confirm,
    isLost: () => lost !== null,
    async release() {
      if (over.signal.aborted) return;
      over.abort();
      await renewing;
      await ask('release', async () => readOrUpdate({ state: 'free' })).catch(() => undefined);
    },
  };
}

function describeProblem(error: unknown): string {
  return `The lock of the state directory cannot be renewed: ${coerceError(error).message}. Nothing is written until then.`;
}

function lostError(why: string): DsaSlurmError {
  return new DsaSlurmError('worker', `This worker may no longer write: ${why}.`, {
    next: 'The worker that holds the state directory continues its runs.',
  });
}

/** Runs one operation at a time. Callers that wait for the same kind share one operation, which starts after their call. */
function createSingleFile() {
  let turn: Promise<unknown> = Promise.resolve();
  const waiting = new Map<string, Promise<unknown>>();
  return async (kind: string, work: () => Promise<unknown>): Promise<void> => {
    let shared = waiting.get(kind);
    if (shared === undefined) {
      shared = turn.then(async () => {
        waiting.delete(kind);
        return work();
      });
      waiting.set(kind, shared);
      turn = shared.catch(() => undefined);
    }
    await shared;
  };
}

/** Whether a lease may be claimed immediately: it was released, or its holder has certainly died on this host. */
export async function isClaimable(seen: SeenLease | null): Promise<boolean> {
  if (seen === null || seen.isFree) return true;
  return seen.owner !== null && (await isCertainlyDead(seen.owner));
}
