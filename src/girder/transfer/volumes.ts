import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/make-directory.js';
import { chmod, lstat, mkdir, readdir, readFile, rm, writeFile } from '../../base/network-fs.js';
import { createBindGuard } from './bind-guard.js';
import type { StagedAnalysis, StagedBind, VolumeRef } from '../protocol/analysis.js';
import { withDiskErrors } from './download.js';

/** Name prefix of all directories created for runs; only such directories are ever removed. */
export const ownPrefix = 'dsa-slurm-';

type Temporary = Extract<VolumeRef, { kind: 'temporary' }>;

/** The default volume. */
const standard: Temporary = { kind: 'temporary', identity: 'default', hostDir: null, mode: 'rw' };

/** The path of a volume on this host and in the container. */
export interface MountedVolume {
  host: string;
  container: string;
}

export interface VolumeTable {
  mount(volume: VolumeRef): Promise<MountedVolume>;
  /** Creates a directory in a volume for a single input, so that inputs of the same name do not collide. */
  inputDirectory(volume: VolumeRef, label: string): Promise<MountedVolume>;
  /** Mounts a path that does not belong to the run. @throws DsaSlurmError `files` for a path that no container may see */
  bindHostPath(bind: StagedBind): Promise<void>;
  /** Records a file just created outside the directories of the run, so that it is removed later. */
  trackFile(file: string): Promise<void>;
  staged(): Pick<StagedAnalysis, 'binds' | 'ownDirectories' | 'ownFiles' | 'volumes'>;
}

/** The directory name of a run, which is safe although task ids come from messages. */
export function runDirectoryName(runId: string): string {
  const plain = /^[A-Za-z0-9_-]{1,100}$/.test(runId);
  return ownPrefix + (plain ? runId : createHash('sha256').update(runId).digest('hex').slice(0, 32));
}

/**
 * Creates the volumes of one run on demand. Directory names derive from the run's id, so that what an earlier attempt at the
 * same run left is found and removed.
 */
export async function createVolumes(options: {
  tmpDir: string;
  runId: string;
  mountPrefix: string | null;
  /** Directories of the worker that no container may see. */
  privateDirectories: readonly string[];
}): Promise<VolumeTable> {
  const { mountPrefix } = options;
  const guard = createBindGuard({ ...options, ownPrefix });
  const name = runDirectoryName(options.runId);
  const home = path.join(options.tmpDir, name);
  const owned: string[] = [];
  const ownFiles: string[] = [];
  const mounted: Record<string, MountedVolume> = {};
  const binds = new Map<string, StagedBind>();
  let count = 0;

  async function makeOwn(directory: string): Promise<string> {
    await removeOwn(directory);
    if (directory !== home) await recordElsewhere(home, { path: directory, birth: null });
    await withDiskErrors(directory, mkdir(directory, { mode: 0o700 }));
    owned.push(directory);
    return directory;
  }

  function bind({ host, container, mode }: StagedBind): void {
    const other = binds.get(container);
    if (other !== undefined && (other.host !== host || other.mode !== mode)) {
      throw new DsaSlurmError('files', `Two different volumes have the same container path ${container}.`);
    }
    binds.set(container, { host, container, mode });
  }

  async function bindHostPath(foreign: StagedBind): Promise<void> {
    await guard(foreign.host, 'whole');
    bind(foreign);
  }

  async function temporary({ identity, hostDir, hostDirMode, mode }: Temporary): Promise<MountedVolume> {
    const existing = mounted[identity];
    if (existing !== undefined) return existing;
    count += 1;
    let host: string;
    if (hostDir === null) {
      host = path.join(home, identity === 'default' ? identity : `volume-${count}`);
      await withDiskErrors(host, mkdir(host));
    } else {
      await guard(hostDir, 'inside');
      const isNew = await withDiskErrors(hostDir, makeDirectory(hostDir));
      // mkdir applies the umask
      if (isNew && hostDirMode !== undefined) await withDiskErrors(hostDir, chmod(hostDir, hostDirMode));
      host = await makeOwn(path.join(hostDir, `${name}-${count}`));
    }
    const mount = { host, container: `/mnt/girder_worker/${randomUUID().replaceAll('-', '')}` };
    mounted[identity] = mount;
    bind({ ...mount, mode });
    return mount;
  }

  async function mount(volume: VolumeRef): Promise<MountedVolume> {
    switch (volume.kind) {
      case 'default':
        return temporary(standard);
      case 'temporary':
        return temporary(volume);
      case 'bind':
        // inputs are written through this path, although compute nodes may use another one
        await guard(volume.host, 'whole');
        await bindHostPath({ ...volume, host: withMountPrefix(volume.host, volume.host, mountPrefix) });
        return volume;
    }
  }

  await withDiskErrors(options.tmpDir, makeDirectory(options.tmpDir));
  await removeLeftovers(options.tmpDir, options.runId);
  await makeOwn(home);
  await temporary(standard);
  return {
    mount,
    bindHostPath,
    async inputDirectory(volume, label) {
      const { host, container } = await mount(volume);
      // in a directory of others, the name marks it as created for this run
      const own = volume.kind === 'bind' ? `${name}-${label}` : label;
      const directory = path.join(host, own);
      if (volume.kind === 'bind') await makeOwn(directory);
      else await withDiskErrors(directory, mkdir(directory));
      return { host: directory, container: path.posix.join(container, own) };
    },
    async trackFile(file) {
      ownFiles.push(file);
      await recordElsewhere(home, { path: file, birth: await withDiskErrors(file, fileIdentity(file)) });
    },
    staged: () => ({
      binds: [...binds.values()],
      ownDirectories: owned,
      ...(ownFiles.length === 0 ? {} : { ownFiles }),
      volumes: mounted,
    }),
  };
}

/**
 * The path of a host file on compute nodes: below the configured prefix if `directory` is an assetstore or lies in one. As in
 * the Python worker, a directory is an assetstore if its name contains `assetstore`.
 */
export function withMountPrefix(host: string, directory: string, mountPrefix: string | null): string {
  if (mountPrefix === null || mountPrefix === '') return host;
  const inAssetstore = directory.split('/').some((part) => part.includes('assetstore'));
  return inAssetstore ? path.join(mountPrefix, host) : host;
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
