import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import lockfile from 'proper-lockfile';

import { DsaSlurmError, systemCode } from '../base/errors.js';

/** A lock is taken to be left over from a dead worker when it was not renewed for so long. */
const staleMs = 20_000;

/**
 * Takes the state directory for this process alone.
 * @param onLost is called if the lock is taken away: another worker is at work on the same journal then.
 * @throws DsaSlurmError `worker` that names the process and host that hold it.
 */
export async function lockState(
  directory: string,
  onLost: (reason: string) => void,
): Promise<() => Promise<void>> {
  const ownerFile = join(directory, 'worker.owner');
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DsaSlurmError('files', `The state directory ${directory} cannot be made.`, {
      next: 'Correct dirs.state, or make it writable for this user.',
      cause,
    });
  }
  let release: () => Promise<void>;
  try {
    release = await lockfile.lock(directory, {
      stale: staleMs,
      update: staleMs / 4,
      lockfilePath: join(directory, 'worker.lock'),
      onCompromised: (error) => onLost(error.message),
    });
  } catch (cause) {
    if (systemCode(cause) !== 'ELOCKED') {
      throw new DsaSlurmError('files', `The state directory ${directory} cannot be locked.`, {
        next: 'Make it writable for this user.',
        cause,
      });
    }
    const owner = await readFile(ownerFile, 'utf8').catch(() => 'another process');
    throw new DsaSlurmError('worker', `A worker already runs for this profile: ${owner.trim()}.`, {
      next: `Stop it first, or use another profile. If it died a moment ago, wait ${staleMs / 1_000} s.`,
      cause,
    });
  }
  await writeFile(ownerFile, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`, {
    mode: 0o600,
  });
  return async () => {
    await release().catch(() => undefined);
  };
}
