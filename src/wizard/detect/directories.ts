import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileSystemOf } from '../../doctor/file-system.js';
import { found, missing, type Found } from './found.js';

/** A candidate for the base directory. */
export interface CandidateDirectory {
  path: string;
  /** `nfs4` */
  type: string;
}

/** Variables in which sites publish directories for data. */
const siteVariables = ['PROJECT', 'PROJECT_DIR', 'WORK', 'SCRATCH', 'GROUP_HOME', 'GROUP_SCRATCH'];

/** Directories of the operator on shared file systems. */
export async function findDirectories(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Found<readonly CandidateDirectory[]>> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const named = siteVariables.map((name) => env[name] ?? '').filter((path) => isAbsolute(path));
  const candidates: CandidateDirectory[] = [];
  for (const path of new Set([...named, env['HOME'] || homedir()])) {
    const fileSystem = fileSystemOf(path, mountinfo);
    // an unresponsive NFS server is handled by the caller's time limit
    if (fileSystem?.reach === 'shared' && (await isWritableDirectory(path))) {
      candidates.push({ path: join(path, 'dsa-slurm'), type: fileSystem.type });
    }
  }
  return candidates.length === 0
    ? missing('none of your directories is on a known shared file system')
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
