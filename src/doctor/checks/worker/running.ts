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

/** A lease has five renewals: the share of it to wait for one from another host. */
const watchedShare = 0.28;
/** Below the time limit of a check. */
const maxWatchMs = 4_200;
/** For a lock without a lease time. */
const defaultLeaseMs = 15_000;
const pollMs = 500;

/** Facts for other checks. */
export interface LockFacts {
  /** A worker holds the lock and renews it. */
  isAlive: boolean;
}

/** @param age milliseconds that the lock was watched without a renewal; null if there is no lock */
export function judgeLock(
  { owner, age, dead }: { owner: ProcessIdentity | null; age: number | null; dead: boolean },
  profile: string,
): Finding {
  const start = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} worker`;
  if (age === null) return warn('No worker is running for this profile.', start);
  const who =
    owner === null ? 'an unknown process' : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  if (dead) return warn(`The worker died: ${who}. Its jobs continue; a new worker resumes them.`, start);
  if (age > 0) {
    return warn(
      `The lock of ${who} was not renewed for ${Math.round(age / 1_000)} s: the worker hangs, or its host is down.`,
      `${start}   # takes over once the lock has expired`,
    );
  }
  if (owner !== null && owner.host !== hostname()) return ok(`running on another host: ${who}`);
  return ok(`running: ${who}`);
}

export const running: Check<'worker.running'> = {
  id: 'worker.running',
  group: 'worker',
  title: 'running',
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

/** Milliseconds without a renewal; 0 if there was one, or the owner is alive on this host. */
async function watchLease(stateDirectory: string, first: SeenLease, clock: Clock): Promise<number> {
  if (first.owner !== null && (await isCertainlyAlive(first.owner))) return 0;
  const watchMs = (first.leaseMs || defaultLeaseMs) * watchedShare;
  // too long for a check; worker.data notices a dead worker
  if (watchMs > maxWatchMs) return 0;
  for (let watched = 0; watched < watchMs; watched += pollMs) {
    await clock.sleep(pollMs);
    const now = await readLease(stateDirectory);
    if (now?.generation !== first.generation || now.signature !== first.signature) return 0;
  }
  return watchMs;
}
