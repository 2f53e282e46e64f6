import { readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import lockfile from 'proper-lockfile';

import { DsaSlurmError, systemCode } from '../base/errors.js';
import { makeDirectory } from '../base/make-directory.js';
import { describeSelf, isCertainlyDead, parseOwner, type Owner } from './owner.js';

/** A lock is taken to be left over from a dead worker when it was not renewed for so long. */
const staleMs = 20_000;
/** Between two looks at the guard. */
const guardLookMs = 100;

/**
 * Takes the state directory for this process alone. The lock of a worker that certainly died on this machine is taken
 * over at once; that of one elsewhere once it was not renewed for 20 s.
 * @param onLost is called if the lock is taken away: another worker is at work on the same journal then.
 * @throws DsaSlurmError `worker` that names the process and host that hold it.
 */
export async function lockState(
  directory: string,
  onLost: (reason: string) => void,
): Promise<() => Promise<void>> {
  const ownerFile = join(directory, 'worker.owner');
  const lockDirectory = join(directory, 'worker.lock');
  try {
    await makeDirectory(directory, 0o700);
  } catch (cause) {
    throw new DsaSlurmError('files', `The state directory ${directory} cannot be made.`, {
      next: 'Correct dirs.state, or make it writable for this user.',
      cause,
    });
  }
  const lock = async (): Promise<() => Promise<void>> =>
    lockfile.lock(directory, {
      stale: staleMs,
      update: staleMs / 4,
      lockfilePath: lockDirectory,
      onCompromised: (error) => onLost(error.message),
    });

  // Lock and owner's name change together: only so the name that is found beside a lock is that of its holder.
  const unguard = await guard(ownerFile, directory);
  try {
    const release = await lock().catch(async (cause: unknown) => {
      if (systemCode(cause) !== 'ELOCKED') throw cannotLock(directory, cause);
      const owner = await readOwner(ownerFile);
      if (owner === null || !(await isCertainlyDead(owner))) throw held(owner, cause);
      await rmdir(lockDirectory);
      return lock();
    });
    await writeFile(ownerFile, `${JSON.stringify(await describeSelf())}\n`, { mode: 0o600 });
    return async () => {
      await rm(ownerFile, { force: true }).catch(() => undefined);
      await release().catch(() => undefined);
    };
  } finally {
    await unguard().catch(() => undefined);
  }
}

/**
 * Keeps others who start at the same moment waiting, for the few milliseconds that taking the lock needs. A worker that was
 * killed within them has left its guard behind, which nobody can ask for its owner: the next one waits until it is stale.
 */
async function guard(ownerFile: string, directory: string): Promise<() => Promise<void>> {
  try {
    return await lockfile.lock(ownerFile, {
      realpath: false,
      stale: staleMs,
      lockfilePath: join(directory, 'worker.starting'),
      retries: { retries: (1.5 * staleMs) / guardLookMs, factor: 1, minTimeout: guardLookMs },
      // whoever gets in after 20 s still has the lock itself to pass
      onCompromised: () => undefined,
    });
  } catch (cause) {
    if (systemCode(cause) === 'ELOCKED') throw held(await readOwner(ownerFile), cause);
    throw cannotLock(directory, cause);
  }
}

async function readOwner(ownerFile: string): Promise<Owner | null> {
  return parseOwner(await readFile(ownerFile, 'utf8').catch(() => ''));
}

function held(owner: Owner | null, cause: unknown): DsaSlurmError {
  const who =
    owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  return new DsaSlurmError('worker', `A worker already runs for this profile: ${who}.`, {
    next: `Stop it first, or use another profile. If it died a moment ago, wait ${staleMs / 1_000} s.`,
    cause,
  });
}

function cannotLock(directory: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError('files', `The state directory ${directory} cannot be locked.`, {
    next: 'Make it writable for this user.',
    cause,
  });
}
