import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { chmod, lstat, mkdir, readdir, readFile, rm, writeFile } from '../../base/files/network-fs.js';
import type { StagedAnalysis } from '../protocol/analysis.js';
import { createBindGuard, type BindUse } from './bind-guard.js';
import { withDiskErrors } from './download.js';

/** Name prefix of all directories created for runs; only such directories are ever removed. */
export const ownPrefix = 'dsa-slurm-';

/** What the volumes of a run need from the disk. A dry run replaces it. */
export interface VolumeDisk {
  /** Rejects a host path that no container may see. @throws DsaSlurmError `files` */
  guard(host: string, use: BindUse): Promise<void>;
  /** Creates a directory whose name marks it as the run's own, empty and for the worker's user only. */
  createOwn(directory: string): Promise<void>;
  /** Creates a directory in one of the run's own. */
  create(directory: string): Promise<void>;
  /** Creates a directory that stays after the run, unless it exists. `mode` comes from the message. */
  createHostDirectory(directory: string, mode: number | undefined): Promise<void>;
  /** Records a file just created outside the directories of the run, so that it is removed after a crash, too. */
  recordFile(file: string): Promise<void>;
  /** The name of the `count`th volume in the container. */
  containerName(count: number): string;
}

/** The directory name of a run, which is safe although task ids come from messages. */
export function runDirectoryName(runId: string): string {
  const plain = /^[A-Za-z0-9_-]{1,100}$/.test(runId);
  return ownPrefix + (plain ? runId : createHash('sha256').update(runId).digest('hex').slice(0, 32));
}

/** Opens the disk for the volumes of a run, and removes what an earlier attempt at the same run left. */
export async function openVolumeDisk(options: {
  tmpDir: string;
  runId: string;
  /** Directories of the worker that no container may see. */
  privateDirectories: readonly string[];
}): Promise<VolumeDisk> {
  const home = path.join(options.tmpDir, runDirectoryName(options.runId));
  await withDiskErrors(options.tmpDir, makeDirectory(options.tmpDir));
  await removeLeftovers(options.tmpDir, options.runId);
  return {
    guard: createBindGuard({ ...options, ownPrefix }),
    async createOwn(directory) {
      await removeOwn(directory);
      if (directory !== home) await recordElsewhere(home, { path: directory, birth: null });
      await withDiskErrors(directory, mkdir(directory, { mode: 0o700 }));
    },
    async create(directory) {
      await withDiskErrors(directory, mkdir(directory));
    },
    async createHostDirectory(directory, mode) {
      const isNew = await withDiskErrors(directory, makeDirectory(directory));
      // mkdir applies the umask
      if (isNew && mode !== undefined) await withDiskErrors(directory, chmod(directory, mode));
    },
    async recordFile(file) {
      await recordElsewhere(home, { path: file, birth: await withDiskErrors(file, fileIdentity(file)) });
    },
    containerName: () => randomUUID().replaceAll('-', ''),
  };
}

/** Removes what was created for a run. Directories without our prefix are left alone. */
export async function removeStaged(
  staged: Pick<StagedAnalysis, 'ownDirectories' | 'ownFiles'>,
): Promise<void> {
  for (const file of staged.ownFiles ?? []) await rm(file, { force: true });
  for (const directory of staged.ownDirectories) await removeOwn(directory);
}

/** What staging created outside the run's directory; `birth` identifies a file by inode number and birth time. */
const elsewhere = z.object({ path: z.string(), birth: z.string().nullable() });
type Elsewhere = z.infer<typeof elsewhere>;

/** In the run's directory, next to its volumes, so that no container sees it. */
const elsewhereName = 'elsewhere.jsonl';

async function recordElsewhere(home: string, made: Elsewhere): Promise<void> {
  await withDiskErrors(
    home,
    writeFile(path.join(home, elsewhereName), `${JSON.stringify(made)}\n`, { mode: 0o600, flag: 'a' }),
  );
}

/**
 * Removes everything that an interrupted attempt at staging has left, after a crash of the worker. Only for a run whose
 * container has not started.
 */
export async function removeLeftovers(tmpDir: string, runId: string): Promise<void> {
  const home = path.join(tmpDir, runDirectoryName(runId));
  for (const { path: made, birth } of await readElsewhere(home)) {
    if (birth === null) await removeOwn(made);
    // another file may have that name by now
    else if ((await fileIdentity(made).catch(() => null)) === birth) await rm(made, { force: true });
  }
  await removeOwn(home);
}

/** With the birth time, because file systems reuse inode numbers. */
async function fileIdentity(file: string): Promise<string> {
  const { ino, birthtimeMs } = await lstat(file);
  return `${ino} ${birthtimeMs}`;
}

async function readElsewhere(home: string): Promise<Elsewhere[]> {
  const text = await readFile(path.join(home, elsewhereName), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      return [elsewhere.parse(JSON.parse(line))];
    } catch {
      // the last line may be incomplete
      return [];
    }
  });
}

async function removeOwn(directory: string): Promise<void> {
  if (!path.isAbsolute(directory) || !path.basename(directory).startsWith(ownPrefix)) return;
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (systemCode(error) !== 'EACCES' && systemCode(error) !== 'EPERM') throw notRemoved(directory, error);
    // a container may have left directories without write permission for their owner
    try {
      await makeWritable(directory);
      await rm(directory, { recursive: true, force: true });
    } catch (again) {
      throw notRemoved(directory, again);
    }
  }
}

async function makeWritable(directory: string): Promise<void> {
  if (!(await lstat(directory)).isDirectory()) return;
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory)) {
    if (entry.isDirectory()) await makeWritable(path.join(directory, entry.name));
  }
}

function notRemoved(directory: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError(
    'files',
    `${directory} could not be removed (${systemCode(cause) ?? 'unknown'}).`,
    {
      next: 'Remove it by hand.',
      cause,
    },
  );
}
