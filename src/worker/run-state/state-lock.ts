import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import {
  claimLease,
  createObserver,
  isClaimable,
  leaseTimes,
  readLease,
  systemLeaseClock,
  type Lease,
  type LeaseClock,
  type SeenLease,
} from './lease.js';
import { describeSelf, isCertainlyAlive, type ProcessIdentity } from './process-identity.js';

export interface LockOptions {
  /** Setting `worker.leaseSeconds`. */
  leaseSeconds: number;
  /** Called once, when another worker has taken over: from then on nothing may be written. */
  onLost: (reason: string) => void;
  /** Called with the reason why the lock cannot be renewed at present, and with null when it can again. */
  onProblem?: (problem: string | null) => void;
  /** Aborts when the worker stops: writes then fail instead of waiting for the file system. */
  stopping?: AbortSignal;
  /** Wait while another worker is alive, and take over when it has died or stopped. */
  standby?: Standby;
  log?: Log;
  clock?: LeaseClock;
}

/** Options for waiting for another worker. */
export interface Standby {
  /** Aborts the wait. */
  signal: AbortSignal;
  /** Called with the worker that holds the lock, each time this changes; null if unknown. */
  onWaiting: (owner: ProcessIdentity | null) => void;
}

/**
 * Locks the state directory for this process. The lock of a worker that released it, or certainly died on this host, is taken
 * over immediately; any other one when it has not been renewed for some time.
 * @throws DsaSlurmError `worker` with the process and host that hold the lock; `files` if the directory cannot be used
 */
export async function lockState(directory: string, options: LockOptions): Promise<Lease> {
  try {
    await makeDirectory(directory, 0o700);
  } catch (cause) {
    throw new DsaSlurmError('files', `The state directory ${directory} cannot be created.`, {
      next: 'Correct dirs.state, or make it writable for this user.',
      cause,
    });
  }
  const lease = await acquire(directory, options);
  const ownerFile = join(directory, 'worker.owner');
  try {
    await lease.hold();
    await writeFile(ownerFile, `${JSON.stringify(await describeSelf())}\n`, { mode: 0o600 });
  } catch (cause) {
    await lease.release();
    throw cannotLock(directory, cause);
  }
  return {
    ...lease,
    async release() {
      // a worker that took over has written its own identity to it
      const isOwn = await lease.confirm().then(
        () => true,
        () => false,
      );
      if (isOwn) await rm(ownerFile, { force: true }).catch(() => undefined);
      await lease.release();
    },
  };
}

async function acquire(directory: string, options: LockOptions): Promise<Lease> {
  const { leaseSeconds, onLost, standby, log, clock = systemLeaseClock } = options;
  const times = leaseTimes(leaseSeconds);
  const observer = createObserver(clock, times);
  let problem: string | null = null;
  const leaseOptions = {
    times,
    clock,
    onLost,
    onProblem(now: string | null) {
      if (now !== null && problem === null) log?.error({ why: now }, 'lock');
      else if (now === null && problem !== null) log?.info('the lock is renewed again');
      problem = now;
      options.onProblem?.(now);
    },
    stopping: options.stopping ?? new AbortController().signal,
  };
  let waitingFor: string | null = null;
  let silent: string | null = null;
  let isWaitLogged = false;
  for (;;) {
    let seen: SeenLease | null;
    try {
      seen = await readLease(directory);
      if ((await isClaimable(seen)) || (seen !== null && observer.isExpired(seen))) {
        const lease = await claimLease(directory, seen, leaseOptions);
        if (lease !== null) return lease;
        // another process was faster
        continue;
      }
      silent = null;
    } catch (error) {
      if (standby === undefined) throw cannotLock(directory, error);
      if (silent === null) log?.warn({ why: errorLine(error) }, 'the state directory does not answer');
      silent = coerceError(error).message;
      seen = null;
    }
    if (seen !== null) {
      const { owner } = seen;
      if (standby === undefined) {
        if (observer.changes() > 0 || (owner !== null && (await isCertainlyAlive(owner)))) throw held(owner);
        if (!isWaitLogged) log?.info({ owner }, 'checking whether the holder of the lock is alive');
        isWaitLogged = true;
      } else {
        const holder = JSON.stringify(owner);
        if (holder !== waitingFor) standby.onWaiting(owner);
        waitingFor = holder;
      }
    }
    await clock.sleep(times.checkMs, {
      ref: true,
      ...(standby === undefined ? {} : { signal: standby.signal }),
    });
    if (standby?.signal.aborted === true) {
      throw new DsaSlurmError('worker', 'The worker was stopped while it was a standby.');
    }
  }
}

function held(owner: ProcessIdentity | null): DsaSlurmError {
  const holder =
    owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  return new DsaSlurmError('worker', `A worker already runs for this profile: ${holder}.`, {
    next: 'Stop it first, use another profile, or start a standby: dsa-slurm worker --standby.',
  });
}

function cannotLock(directory: string, cause: unknown): DsaSlurmError {
  const why = coerceError(cause).message;
  return new DsaSlurmError('files', `The state directory ${directory} cannot be locked: ${why}.`, {
    next: 'Make it writable for this user, and check that its disk is not full.',
    cause,
  });
}
