import path from 'node:path';
import { DsaSlurmError } from '../../base/errors.js';
import type { StagedAnalysis, StagedBind, VolumeRef } from '../protocol/analysis.js';
import { runDirectoryName, type VolumeDisk } from './volume-disk.js';

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

/**
 * Creates the volumes of one run on demand. Directory names derive from the run's id, so that what an earlier attempt at the
 * same run left is found and removed.
 * @param options.refuse receives what must not be mounted; it throws, except in a dry run
 */
export async function createVolumes(
  disk: VolumeDisk,
  options: {
    tmpDir: string;
    runId: string;
    mountPrefix: string | null;
    refuse: (error: DsaSlurmError) => void;
  },
): Promise<VolumeTable> {
  const { mountPrefix } = options;
  const name = runDirectoryName(options.runId);
  const home = path.join(options.tmpDir, name);
  const owned: string[] = [];
  const ownFiles: string[] = [];
  const mounted: Record<string, MountedVolume> = {};
  const binds = new Map<string, StagedBind>();
  let count = 0;

  async function makeOwn(directory: string): Promise<string> {
    await disk.createOwn(directory);
    owned.push(directory);
    return directory;
  }

  function bind({ host, container, mode }: StagedBind): void {
    const other = binds.get(container);
    if (other !== undefined && (other.host !== host || other.mode !== mode)) {
      options.refuse(
        new DsaSlurmError('files', `Two different volumes have the same container path ${container}.`),
      );
    }
    binds.set(container, { host, container, mode });
  }

  async function bindHostPath(foreign: StagedBind): Promise<void> {
    await disk.guard(foreign.host, 'whole');
    bind(foreign);
  }

  async function temporary({ identity, hostDir, hostDirMode, mode }: Temporary): Promise<MountedVolume> {
    const existing = mounted[identity];
    if (existing !== undefined) return existing;
    count += 1;
    let host: string;
    if (hostDir === null) {
      host = path.join(home, identity === 'default' ? identity : `volume-${count}`);
      await disk.create(host);
    } else {
      await disk.guard(hostDir, 'inside');
      await disk.createHostDirectory(hostDir, hostDirMode);
      host = await makeOwn(path.join(hostDir, `${name}-${count}`));
    }
    const mount = { host, container: `/mnt/girder_worker/${disk.containerName(count)}` };
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
        await disk.guard(volume.host, 'whole');
        await bindHostPath({ ...volume, host: withMountPrefix(volume.host, volume.host, mountPrefix) });
        return volume;
    }
  }

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
      else await disk.create(directory);
      return { host: directory, container: path.posix.join(container, own) };
    },
    async trackFile(file) {
      ownFiles.push(file);
      await disk.recordFile(file);
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
