import { hostname } from 'node:os';
import type { Clock } from '../../../base/clock.js';
import { readLease, type SeenLease } from '../../../worker/run-state/lease.js';
import {
  isCertainlyAlive,
  isCertainlyDead,
  type ProcessIdentity,
} from '../../../worker/run-state/process-identity.js';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';

/** Five renewals are due within one lease: so much of it a worker on another host is given for one. */
const watchedShare = 0.28;
/** A check of the doctor may take five seconds. */
const longestWatchMs = 4_200;
/** Of a lock that does not say for how long it counts. */
const usualLeaseMs = 15_000;
const lookEveryMs = 500;

/** What the check hands on. */
export interface LockFacts {
  /** A worker holds the lock and renews it. */
  isAlive: boolean;
}

/** @param age milliseconds for which the lock was watched without a renewal; null if there is none. Pure. */
export function judgeLock(
  { owner, age, dead }: { owner: ProcessIdentity | null; age: number | null; dead: boolean },
  profile: string,
): Finding {
  const start = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} worker`;
  if (age === null) return warn('No worker runs for this profile.', start);
  const who =
    owner === null ? 'an unknown process' : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  if (dead) return warn(`The worker has died: ${who}. Its jobs go on; the next start takes them up.`, start);
  if (age > 0) {
    return warn(
      `The lock of ${who} was not renewed for ${Math.round(age / 1_000)} s. That worker hangs, or its host is down.`,
      `${start}   # takes over once the lock has expired`,
    );
  }
  if (owner !== null && owner.host !== hostname()) return ok(`runs elsewhere: ${who}`);
  return ok(`runs: ${who}`);
}

export const running: Check = {
  id: 'worker.running',
  group: 'worker',
  title: 'running, and its lock',
  async run({ settings, profile, clock }) {
    const { state } = settings.dirs;
    const lease = await readLease(state);
    const owner = lease?.owner ?? null;
    const isDead = owner !== null && (await isCertainlyDead(owner));
    const age = lease === null || lease.isFree ? null : isDead ? 0 : await watchLease(state, lease, clock);
    const finding = judgeLock({ owner, age, dead: isDead }, profile);
    return { ...finding, fact: { isAlive: finding.status === 'ok' } satisfies LockFacts };
  },
};

/** Milliseconds without a renewal; 0 once there was one, or if its owner is seen to live on this host. */
async function watchLease(stateDirectory: string, first: SeenLease, clock: Clock): Promise<number> {
  if (first.owner !== null && (await isCertainlyAlive(first.owner))) return 0;
  const watchMs = (first.leaseMs || usualLeaseMs) * watchedShare;
  // the check of its status file has to do
  if (watchMs > longestWatchMs) return 0;
  for (let watched = 0; watched < watchMs; watched += lookEveryMs) {
    await clock.sleep(lookEveryMs);
    const now = await readLease(stateDirectory);
    if (now?.generation !== first.generation || now.signature !== first.signature) return 0;
  }
  return watchMs;
}
