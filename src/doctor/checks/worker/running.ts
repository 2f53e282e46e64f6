import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isCertainlyDead, parseOwner, type Owner } from '../../../worker/owner.js';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../finding.js';

/** A lock that was not renewed for so long is left over (worker/lock.ts). */
const staleMs = 20_000;

/** What the check hands on. */
export interface LockFacts {
  /** A worker holds the lock and renews it. */
  isAlive: boolean;
}

/** @param age milliseconds since the lock was renewed; null if there is none. Pure. */
export function judgeLock(
  { owner, age, dead }: { owner: Owner | null; age: number | null; dead: boolean },
  profile: string,
): Finding {
  const start = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} worker`;
  if (age === null) return warn('No worker runs for this profile.', start);
  const who =
    owner === null ? 'an unknown process' : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  if (dead) return warn(`The worker has died: ${who}. Its jobs go on; the next start takes them up.`, start);
  if (age > staleMs) {
    return warn(
      `The lock of ${who} was not renewed for ${Math.round(age / 1_000)} s.`,
      `${start}   # if ${owner?.host ?? 'its host'} is certain to run none`,
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
    const owner = parseOwner(await readFile(join(state, 'worker.owner'), 'utf8').catch(() => ''));
    const lock = await stat(join(state, 'worker.lock')).catch(() => null);
    const facts = {
      owner,
      age: lock === null ? null : Math.max(0, clock.now() - lock.mtimeMs),
      dead: owner !== null && (await isCertainlyDead(owner)),
    };
    const finding = judgeLock(facts, profile);
    return { ...finding, fact: { isAlive: finding.status === 'ok' } satisfies LockFacts };
  },
};
