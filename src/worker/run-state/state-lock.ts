import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeDirectory } from '../../base/make-directory.js';
import {
  claimLease,
  createObserver,
  isUp,
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
  /** Called once, when another worker has taken over: nothing may be written from then on. */
  onLost: (reason: string) => void;
  /** Called with why the lock cannot be renewed at present, and with null when it can be again. */
  onTrouble?: (trouble: string | null) => void;
  /** Aborts when the worker stops; writes are then no longer held back until the file system answers. */
  stopping?: AbortSignal;
  /** Wait for as long as another worker lives, and take over when it has died or stopped. */
  standby?: Standby;
  log?: Log;
  clock?: LeaseClock;
}

/** How a worker waits for another one. */
export interface Standby {
  /** Aborts the wait. */
  signal: AbortSignal;
  /** Called with whoever has the directory, each time that this is another one; null if it cannot be told. */
  onWaiting: (owner: ProcessIdentity | null) => void;
}

/**
 * Takes the state directory for this process alone. The lock of a worker that certainly died on this machine, or gave it
 * back, is taken over at once; any other one when it has not been renewed for a while.
 * @throws DsaSlurmError `worker` that names the process and host that hold it; `files` if the directory cannot be used
 */
export async function lockState(directory: string, options: LockOptions): Promise<Lease> {
  try {
    await makeDirectory(directory, 0o700);
  } catch (cause) {
    throw new DsaSlurmError('files', `The state directory ${directory} cannot be made.`, {
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
      // the one that took over has put its own name there
      const isOurs = await lease.confirm().then(
        () => true,
        () => false,
      );
      if (isOurs) await rm(ownerFile, { force: true }).catch(() => undefined);
      await lease.release();
    },
  };
}

async function acquire(directory: string, options: LockOptions): Promise<Lease> {
  const { leaseSeconds, onLost, standby, log, clock = systemLeaseClock } = options;
  const times = leaseTimes(leaseSeconds);
  const observer = createObserver(clock, times);
  let trouble: string | null = null;
  const leaseOptions = {
    times,
    clock,
    onLost,
    onTrouble(now: string | null) {
      if (now !== null && trouble === null) log?.error({ why: now }, 'lock');
      else if (now === null && trouble !== null) log?.info('the lock is renewed again');
      trouble = now;
      options.onTrouble?.(now);
    },
    stopping: options.stopping ?? new AbortController().signal,
  };
  let waitingFor: string | null = null;
  let silent: string | null = null;
  let isLookedAt = false;
  for (;;) {
    let seen: SeenLease | null;
    try {
      seen = await readLease(directory);
      if ((await isUp(seen)) || (seen !== null && observer.isExpired(seen))) {
        const lease = await claimLease(directory, seen, leaseOptions);
        if (lease !== null) return lease;
        // somebody else was faster
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
        if (!isLookedAt) log?.info({ owner }, 'looking whether who has the state directory is alive');
        isLookedAt = true;
      } else {
        const who = JSON.stringify(owner);
        if (who !== waitingFor) standby.onWaiting(owner);
        waitingFor = who;
      }
    }
    await clock.sleep(times.lookMs, {
      ref: true,
      ...(standby === undefined ? {} : { signal: standby.signal }),
    });
    if (standby?.signal.aborted === true) {
      throw new DsaSlurmError('worker', 'The worker was stopped while it stood by.');
    }
  }
}

function held(owner: ProcessIdentity | null): DsaSlurmError {
  const who =
    owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  return new DsaSlurmError('worker', `A worker already runs for this profile: ${who}.`, {
    next: 'Stop it first, use another profile, or let this one wait for it: dsa-slurm worker --standby.',
  });
}

function cannotLock(directory: string, cause: unknown): DsaSlurmError {
  const why = coerceError(cause).message;
  return new DsaSlurmError('files', `The state directory ${directory} cannot be locked: ${why}.`, {
    next: 'Make it writable for this user, and see that its disk is not full.',
    cause,
  });
}
