import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileSystemOf } from '../../doctor/file-system.js';
import { found, missing, type Found } from './found.js';

/** A place for the directories that login and compute nodes share. */
export interface CandidateDirectory {
  path: string;
  /** `nfs4` */
  type: string;
}

/** Names in which sites tell their users where there is room. */
const telling = ['PROJECT', 'PROJECT_DIR', 'WORK', 'SCRATCH', 'GROUP_HOME', 'GROUP_SCRATCH'];

/** Directories of the operator that lie on a file system which other machines can see too. */
export async function findDirectories(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Found<readonly CandidateDirectory[]>> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const named = telling.map((name) => env[name] ?? '').filter((path) => isAbsolute(path));
  const candidates: CandidateDirectory[] = [];
  for (const path of new Set([...named, env['HOME'] || homedir()])) {
    const fileSystem = fileSystemOf(path, mountinfo);
    // what is not answered at once (a dead NFS server) is cut off by whoever asked
    if (fileSystem?.reach === 'shared' && (await isWritableDirectory(path))) {
      candidates.push({ path: join(path, 'dsa-slurm'), type: fileSystem.type });
    }
  }
  return candidates.length === 0
    ? missing('no directory of yours lies on a shared file system that is known here')
    : found(candidates);
}

async function isWritableDirectory(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
