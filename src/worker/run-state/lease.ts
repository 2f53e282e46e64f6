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
 * - A claim is the exclusive creation of the file of the next generation, which exactly one process can do, on NFS and
 *   Lustre too. The new holder then removes the files of lower generations. The highest one is never removed, so that no
 *   generation is claimed twice.
 * - The holder rewrites its file every `renewMs`. Others judge it by the changes that they see in its content over their own
 *   monotonic clock: neither the clocks of two hosts nor the time stamps of a file server are ever compared.
 * - A holder whose last renewal is older than `leaseMs` holds nothing until it has claimed the next generation. Others
 *   claim only after `takeoverMs` without a change, which is longer.
 * - The holder opens its file by name before it counts on holding it: opening is what makes NFS ask its server (close-to-open
 *   consistency). A file that is gone means that somebody else has claimed a higher generation.
 */

/** A moment by both clocks that count the time a process is stopped. */
interface Mark {
  monotonic: number;
  boottime: number;
}

/** Time for leases; milliseconds. Never the time of day, which is set forward and back. */
export interface LeaseClock {
  /** CLOCK_MONOTONIC: goes on while the process is stopped. */
  monotonic(): number;
  /** CLOCK_BOOTTIME: goes on while the machine is suspended, too. */
  boottime(): number;
  /** Resolves after `ms` or when `signal` aborts. Keeps the process alive only if `ref`. Never rejects. */
  sleep(ms: number, options: { signal?: AbortSignal; ref: boolean }): Promise<void>;
}

export const systemLeaseClock: LeaseClock = {
  monotonic: () => performance.now(),
  boottime: () => uptime() * 1_000,
  async sleep(ms, options) {
    await delay(ms, undefined, options).catch(() => undefined);
  },
};

/** All in milliseconds. */
export interface LeaseTimes {
  /** A renewal counts for so long. */
  leaseMs: number;
  /** Between two renewals. */
  renewMs: number;
  /** Without a change for so long, a lease may be taken over. */
  takeoverMs: number;
  /** Between two looks at somebody else's lease. */
  lookMs: number;
}

/** @param leaseSeconds setting `worker.leaseSeconds` */
export function leaseTimes(leaseSeconds: number): LeaseTimes {
  const leaseMs = leaseSeconds * 1_000;
  return { leaseMs, renewMs: leaseMs / 5, takeoverMs: takeoverAfter(leaseMs), lookMs: leaseMs / 8 };
}

/** Clocks of two machines may run at rates that differ, but not by a third. */
function takeoverAfter(leaseMs: number): number {
  return (leaseMs * 4) / 3;
}

/** What `hold` relies on without looking at the disk again, in milliseconds. */
const freshMs = 500;
const lockDirectoryName = 'worker.lock';
const leaseFile = /^lease\.(?<generation>\d{1,15})$/;

/** A lease as it was found. */
export interface SeenLease {
  /** 0: the lock of a version without leases. */
  generation: number;
  /** Differs after each renewal. */
  signature: string;
  /** Null if it cannot be read. */
  owner: ProcessIdentity | null;
  /** Given back by its owner. */
  isFree: boolean;
  /** How long its owner relies on a renewal; 0 if it does not say. */
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

/** Always of the same length for the same holder, so that one write replaces it in place. */
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
    // in the middle of a write; its change counts all the same
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
 * The newest lease of a state directory; null if nobody ever had one.
 * @throws whatever the file system says if it does not answer the question
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
      // a listing that NFS remembers from before a takeover
      if ((systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ESTALE') || attempt >= 3) throw error;
      await forgetListing(lockDirectory);
    }
  }
}

/** A change of our own makes an NFS client ask for the content of a directory again. */
async function forgetListing(lockDirectory: string): Promise<void> {
  const path = join(lockDirectory, `look.${randomBytes(6).toString('hex')}`);
  await (await open(path, 'wx', 0o600)).close();
  await rm(path, { force: true });
}

/** Version 0.1 had a directory whose time of change it renewed, and the owner beside it. */
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
 * Creates the lease of a generation, and removes those before it.
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
    // from here on the holder before us finds its file gone
    for (const lower of all.slice(0, -1)) await rm(pathOf(lockDirectory, lower), { force: true });
    return true;
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Judges somebody else's lease by how long it has not changed. */
export function createObserver(clock: LeaseClock, times: LeaseTimes) {
  const now = createMarks(clock);
  let signature: string | null = null;
  let unchangedSince = now.mark();
  let lookedAt = unchangedSince;
  let changes = 0;
  return {
    /** Notes a lease that was just read, and says whether its holder can no longer rely on it. */
    isExpired(seen: SeenLease): boolean {
      const current = `${seen.generation} ${seen.signature}`;
      // while the file server is away nobody can renew: what was not looked at does not count
      const isGap = now.since(lookedAt) > times.leaseMs / 2;
      lookedAt = now.mark();
      if (current !== signature || isGap) {
        if (signature !== null && current !== signature) changes += 1;
        signature = current;
        unchangedSince = lookedAt;
        return false;
      }
      return now.since(unchangedSince) >= Math.max(times.takeoverMs, takeoverAfter(seen.leaseMs));
    },
    /** How often it was seen to change. */
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
  /** Called once, when another process has taken over. Nothing may be written from then on. */
  onLost: (reason: string) => void;
  /** Called with why the lease cannot be renewed at present, and with null when it can be again. */
  onTrouble: (trouble: string | null) => void;
  /** While it is not aborted, a file system that does not answer is waited for. */
  stopping: AbortSignal;
}

/** A held lease, which is renewed until it is released or lost. */
export interface Lease {
  /** Of the claim; raised by each later holder. */
  generation(): number;
  /**
   * Resolves once this process is known to hold the lease. To be awaited before each write that a second worker must not
   * make as well. While the file system does not answer, it waits.
   * @throws DsaSlurmError `worker` if the lease is lost, or if it cannot be confirmed while the worker stops
   */
  hold(): Promise<void>;
  /** As {@link hold}, and asks the file system in any case: what was written before is then known to the next holder. */
  confirm(): Promise<void>;
  isLost(): boolean;
  /** Gives the lease back, so that others need not wait until it expires. Never rejects. */
  release(): Promise<void>;
}

/**
 * Claims the lease after `previous`.
 * @returns null if another process was faster
 */
export async function claimLease(
  stateDirectory: string,
  previous: SeenLease | null,
  { times, clock, onLost, onTrouble, stopping }: LeaseOptions,
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

  async function loseToOthers(): Promise<void> {
    const { owner } = (await readLease(stateDirectory).catch(() => null)) ?? { owner: null };
    const who = owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}`;
    lose(`the state directory was taken over by ${who}`);
  }

  /** Reads our own file, and writes to it with `change`. False if it is not ours any more. */
  async function visit(change: Partial<Pick<LeaseContent, 'renewal' | 'state'>> | null): Promise<boolean> {
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
    if (await visit({ renewal: content.renewal + 1 })) renewed = began;
    else await loseToOthers();
  }

  /** After an expiry: others may claim as well, and only one of us gets the next generation. */
  async function reclaim(): Promise<void> {
    const began = mark();
    const next = { ...content, generation: content.generation + 1 };
    if (await claim(lockDirectory, next)) {
      content.generation = next.generation;
      renewed = began;
      confirmed = began;
    } else await loseToOthers();
  }

  // one question at a time: a file system that hangs holds one thread of Node's four, and not all
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
            if (await visit(null)) confirmed = began;
            else await loseToOthers();
          });
          if (lost === null && isValid()) return;
        }
      } catch (error) {
        onTrouble(troubleOf(error));
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
      void noteSilence(answered.signal);
      try {
        await ask('renew', async () => (isValid() ? renew() : reclaim()));
        onTrouble(null);
      } catch (error) {
        onTrouble(troubleOf(error));
      } finally {
        answered.abort();
      }
    }
  }

  /** A file system that hangs gives no error either. */
  async function noteSilence(answered: AbortSignal): Promise<void> {
    await clock.sleep(times.leaseMs, { signal: AbortSignal.any([answered, over.signal]), ref: false });
    if (!answered.aborted && !over.signal.aborted) onTrouble(troubleOf('it does not answer'));
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
      await ask('release', async () => visit({ state: 'free' })).catch(() => undefined);
    },
  };
}

function troubleOf(error: unknown): string {
  return `The lock of the state directory cannot be renewed: ${coerceError(error).message}. Nothing is written until it can be.`;
}

function lostError(why: string): DsaSlurmError {
  return new DsaSlurmError('worker', `This worker may not write any more: ${why}.`, {
    next: 'The worker that has the state directory goes on with its runs.',
  });
}

/** Runs one piece of work at a time. Callers that wait for the same kind share one, which begins after they asked. */
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

/** Whether a lease may be claimed at once: nobody has it, or who had it gave it back or has certainly died here. */
export async function isUp(seen: SeenLease | null): Promise<boolean> {
  if (seen === null || seen.isFree) return true;
  return seen.owner !== null && (await isCertainlyDead(seen.owner));
}
