import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import { makeDirectory } from '../../base/make-directory.js';
import { chmod, lstat, mkdir, readdir, readFile, rm, writeFile } from '../../base/network-fs.js';
import { createBindGuard } from './bind-guard.js';
import type { StagedAnalysis, StagedBind, VolumeRef } from '../protocol/analysis.js';
import { withDiskErrors } from './download.js';

/** Every directory that is made for a run begins so, and nothing else is ever removed. */
export const ownPrefix = 'dsa-slurm-';

type Temporary = Extract<VolumeRef, { kind: 'temporary' }>;

/** The default volume. */
const standard: Temporary = { kind: 'temporary', identity: 'default', hostDir: null, mode: 'rw' };

/** Where a volume is: on this host, and in the container. */
export interface MountedVolume {
  host: string;
  container: string;
}

export interface VolumeTable {
  mount(volume: VolumeRef): Promise<MountedVolume>;
  /** A fresh directory in a volume for one input alone, so that two of the same name never meet. */
  inputDirectory(volume: VolumeRef, label: string): Promise<MountedVolume>;
  /** Binds a path that is none of ours. @throws DsaSlurmError `files` for one that no container may see */
  bindHostPath(bind: StagedBind): Promise<void>;
  /** Notes a file that was just made in a directory which is not ours. */
  trackFile(file: string): Promise<void>;
  staged(): Pick<StagedAnalysis, 'binds' | 'ownDirectories' | 'ownFiles' | 'volumes'>;
}

/** The name of a run in our directories: task ids come from messages. */
export function runDirectoryName(runId: string): string {
  const plain = /^[A-Za-z0-9_-]{1,100}$/.test(runId);
  return ownPrefix + (plain ? runId : createHash('sha256').update(runId).digest('hex').slice(0, 32));
}

/**
 * The volumes of one run, made as they are asked for. Directories have names that follow from the run's id: what an
 * earlier attempt at the same run left is removed and not added to.
 */
export async function createVolumes(options: {
  tmpDir: string;
  runId: string;
  mountPrefix: string | null;
  /** The worker's own, which no container may see. */
  privateDirectories: readonly string[];
}): Promise<VolumeTable> {
  const { mountPrefix } = options;
  const guard = createBindGuard({ ...options, ownPrefix });
  const name = runDirectoryName(options.runId);
  const home = path.join(options.tmpDir, name);
  const owned: string[] = [];
  const ownFiles: string[] = [];
  const places: Record<string, MountedVolume> = {};
  const binds = new Map<string, StagedBind>();
  let count = 0;

  async function makeOwn(directory: string): Promise<string> {
    await removeOwn(directory);
    if (directory !== home) await noteElsewhere(home, { path: directory, birth: null });
    await withDiskErrors(directory, mkdir(directory, { mode: 0o700 }));
    owned.push(directory);
    return directory;
  }

  function bind({ host, container, mode }: StagedBind): void {
    const other = binds.get(container);
    if (other !== undefined && (other.host !== host || other.mode !== mode)) {
      throw new DsaSlurmError('files', `Two different volumes are to be seen at ${container}.`);
    }
    binds.set(container, { host, container, mode });
  }

  async function bindForeign(foreign: StagedBind): Promise<void> {
    await guard(foreign.host, 'whole');
    bind(foreign);
  }

  async function temporary({ identity, hostDir, hostDirMode, mode }: Temporary): Promise<MountedVolume> {
    const known = places[identity];
    if (known !== undefined) return known;
    count += 1;
    let host: string;
    if (hostDir === null) {
      host = path.join(home, identity === 'default' ? identity : `volume-${count}`);
      await withDiskErrors(host, mkdir(host));
    } else {
      await guard(hostDir, 'inside');
      const isNew = await withDiskErrors(hostDir, makeDirectory(hostDir));
      // the umask would take away what others are to be given
      if (isNew && hostDirMode !== undefined) await withDiskErrors(hostDir, chmod(hostDir, hostDirMode));
      host = await makeOwn(path.join(hostDir, `${name}-${count}`));
    }
    const place = { host, container: `/mnt/girder_worker/${randomUUID().replaceAll('-', '')}` };
    places[identity] = place;
    bind({ ...place, mode });
    return place;
  }

  async function place(volume: VolumeRef): Promise<MountedVolume> {
    switch (volume.kind) {
      case 'default':
        return temporary(standard);
      case 'temporary':
        return temporary(volume);
      case 'bind':
        // compute nodes may know it by another path, and inputs are put there by this one
        await guard(volume.host, 'whole');
        await bindForeign({ ...volume, host: withMountPrefix(volume.host, volume.host, mountPrefix) });
        return volume;
    }
  }

  await withDiskErrors(options.tmpDir, makeDirectory(options.tmpDir));
  await removeLeftovers(options.tmpDir, options.runId);
  await makeOwn(home);
  await temporary(standard);
  return {
    mount: place,
    bindHostPath: bindForeign,
    async inputDirectory(volume, label) {
      const { host, container } = await place(volume);
      // in a directory that is not ours, the input's own one has to be recognised as ours
      const own = volume.kind === 'bind' ? `${name}-${label}` : label;
      const directory = path.join(host, own);
      if (volume.kind === 'bind') await makeOwn(directory);
      else await withDiskErrors(directory, mkdir(directory));
      return { host: directory, container: path.posix.join(container, own) };
    },
    async trackFile(file) {
      ownFiles.push(file);
      await noteElsewhere(home, { path: file, birth: await withDiskErrors(file, birthOf(file)) });
    },
    staged: () => ({
      binds: [...binds.values()],
      ownDirectories: owned,
      ...(ownFiles.length === 0 ? {} : { ownFiles }),
      volumes: places,
    }),
  };
}

/**
 * A host path as compute nodes know it: below the operator's prefix if `directory` lies in an assetstore, or is one. As
 * with the Python worker, a directory counts as one if its name has `assetstore` in it.
 */
export function withMountPrefix(host: string, directory: string, mountPrefix: string | null): string {
  if (mountPrefix === null || mountPrefix === '') return host;
  const inAssetstore = directory.split('/').some((part) => part.includes('assetstore'));
  return inAssetstore ? path.join(mountPrefix, host) : host;
}

/** Removes what was made for a run. Directories that are not ours by their name are left alone. */
export async function removeStaged(
  staged: Pick<StagedAnalysis, 'ownDirectories' | 'ownFiles'>,
): Promise<void> {
  for (const file of staged.ownFiles ?? []) await rm(file, { force: true });
  for (const directory of staged.ownDirectories) await removeOwn(directory);
}

/** What staging made outside of the run's own directory; a file is known again by its number and its birth. */
const elsewhere = z.object({ path: z.string(), birth: z.string().nullable() });
type Elsewhere = z.infer<typeof elsewhere>;

/** Lies in the run's own directory, beside its volumes, so that no container sees it. */
const elsewhereName = 'elsewhere.jsonl';

async function noteElsewhere(home: string, made: Elsewhere): Promise<void> {
  await withDiskErrors(
    home,
    writeFile(path.join(home, elsewhereName), `${JSON.stringify(made)}\n`, { mode: 0o600, flag: 'a' }),
  );
}

/**
 * Removes all that an attempt at staging has left that nobody knows the end of: the worker died meanwhile. Only for a run
 * whose container has not begun.
 */
export async function removeLeftovers(tmpDir: string, runId: string): Promise<void> {
  const home = path.join(tmpDir, runDirectoryName(runId));
  for (const { path: made, birth } of await readElsewhere(home)) {
    if (birth === null) await removeOwn(made);
    // somebody else's file may have that name by now
    else if ((await birthOf(made).catch(() => null)) === birth) await rm(made, { force: true });
  }
  await removeOwn(home);
}

/** File systems give the numbers of removed files away again. */
async function birthOf(file: string): Promise<string> {
  const { ino, birthtimeMs } = await lstat(file);
  return `${ino} ${birthtimeMs}`;
}

async function readElsewhere(home: string): Promise<Elsewhere[]> {
  const text = await readFile(path.join(home, elsewhereName), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      return [elsewhere.parse(JSON.parse(line))];
    } catch {
      // the last line may be torn
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
    // a container may have left directories that even their owner must not write to
    try {
      await openUp(directory);
      await rm(directory, { recursive: true, force: true });
    } catch (again) {
      throw notRemoved(directory, again);
    }
  }
}

async function openUp(directory: string): Promise<void> {
  if (!(await lstat(directory)).isDirectory()) return;
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory)) {
    if (entry.isDirectory()) await openUp(path.join(directory, entry.name));
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
