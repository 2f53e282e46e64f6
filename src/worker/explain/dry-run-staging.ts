import path from 'node:path';

import { DsaSlurmError } from '../../base/errors.js';
import type {
  Analysis,
  ContainerArgument,
  Input,
  StagedAnalysis,
  StagedBind,
  VolumeRef,
} from '../../girder/protocol/analysis.js';
import { mapApiUrl, segment, type ApiUrlMap } from '../../girder/api/api-url.js';
import { outputOutsideVolume } from '../../girder/transfer/upload-outputs.js';
import { pathInVolume, safeName } from '../../girder/transfer/file-names.js';
import { joinPaths } from '../../girder/transfer/stage-inputs.js';
import { streamsOf, type StreamConnector } from '../../girder/protocol/streams.js';
import type { BindUse } from '../../girder/transfer/bind-guard.js';
import { runDirectoryName, withMountPrefix, type MountedVolume } from '../../girder/transfer/volumes.js';

export interface DryRunOptions {
  runId: string;
  tmpDir: string;
  mountPrefix: string | null;
  directPaths: boolean;
  apiUrlMap: ApiUrlMap;
  /** Whether a file can be read on this host. */
  isReadable: (file: string) => boolean;
  /** Refuses a host path that no container may see. @throws DsaSlurmError `files` */
  guardBind: (host: string, use: BindUse) => void;
}

/** One input, before it is downloaded. */
export interface DryRunInput {
  kind: 'file' | 'folder' | 'item' | 'pipe';
  id: string;
  /** URL in Girder, as reached from this host; or the path of a file that is used directly. */
  from: string;
  direct: boolean;
  /** Path in the container. */
  container: string;
}

export interface DryRunStaging {
  staged: Omit<StagedAnalysis, 'volumes'>;
  inputs: DryRunInput[];
  /** Errors of staging that can be known in advance. */
  refusals: DsaSlurmError[];
}

/** Placeholder for a name that only Girder knows. */
export const unknownName = '<name from Girder>';

type Piped = Extract<StreamConnector, { pipe: unknown }>;

/**
 * A dry run of `stageAnalysis`: the same directories and arguments, with placeholders for names that only Girder knows and for the
 * random part of volumes in the container.
 */
export function dryRunStaging(analysis: Analysis, options: DryRunOptions): DryRunStaging {
  const refusals: DsaSlurmError[] = [];
  const inputs: DryRunInput[] = [];
  const seen = new Map<string, string>();
  const volumes = rehearseVolumes(options, refusals);

  const noStray = (filename: string): string => {
    const relative = pathInVolume(filename);
    if (relative === null) refusals.push(outputOutsideVolume(filename));
    return relative ?? '<no path in its volume>';
  };
  const pipePath = ({ pipe }: Piped): string =>
    path.posix.join(volumes.place(pipe.volume).container, noStray(pipe.name));
  const once = (identity: string, make: () => string): string => {
    const made = seen.get(identity) ?? make();
    seen.set(identity, made);
    return made;
  };
  const joined = (paths: readonly string[]): string => {
    try {
      return joinPaths(paths);
    } catch (error) {
      if (error instanceof DsaSlurmError) refusals.push(error);
      return paths.join(',');
    }
  };
  const fetched = (input: Input, label: string): string => {
    const { kind } = input;
    if (kind === 'file' && input.directPath !== null && (options.directPaths || !input.directIfOpened)) {
      if (options.isReadable(input.directPath)) {
        const name = safeName(input.fileName ?? path.basename(input.directPath));
        const container = `/mnt/girder_direct_worker/${label}/${name}`;
        const host = withMountPrefix(input.directPath, path.dirname(input.directPath), options.mountPrefix);
        volumes.bindHostPath({ host, container, mode: 'ro' });
        inputs.push({ kind, id: input.fileId, from: host, direct: true, container });
        return container;
      }
    }
    const [id, name] =
      kind === 'file'
        ? [input.fileId, input.fileName]
        : kind === 'folder'
          ? [input.folderId, input.folderName]
          : [input.itemId, null];
    const directory = volumes.inputDirectory(input.volume, safeName(`${label}-${id.slice(0, 64)}`));
    const isDirectory = kind === 'item' && input.path === 'directory';
    const shownName = name === null ? unknownName : safeName(name);
    const container = isDirectory ? directory : path.posix.join(directory, shownName);
    inputs.push({
      kind,
      id,
      from: address(input.access.apiUrl, `${kind}/${segment(id)}`),
      direct: false,
      container,
    });
    return container;
  };
  const address = (apiUrl: string, rest: string): string =>
    `${mapApiUrl(apiUrl, options.apiUrlMap).replace(/\/+$/, '')}/${rest}`;

  const resolve = (argument: ContainerArgument, index: number): string => {
    switch (argument.kind) {
      case 'text':
        return argument.text;
      case 'token':
        return argument.access.token;
      case 'apiUrl':
        return address(argument.access.apiUrl, '');
      case 'volume':
        return volumes.place(argument.volume).container;
      case 'stream':
        return 'pipe' in argument.connector ? pipePath(argument.connector) : '';
      case 'directory':
        return once(argument.identity, () =>
          volumes.inputDirectory({ kind: 'default' }, `${index}-directory`),
        );
      case 'volumePath':
        return path.posix.join(volumes.place(argument.volume).container, noStray(argument.filename));
      case 'file':
      case 'folder':
      case 'item':
        return once(argument.identity, () => fetched(argument, `${index}`));
      case 'joined':
        return joined(
          argument.parts.map((input, part) => once(input.identity, () => fetched(input, `${index}.${part}`))),
        );
    }
  };

  for (const volume of analysis.volumes) volumes.place(volume);
  for (const { filename } of analysis.hooks) noStray(filename);
  const args = analysis.args.map(resolve);
  for (const connector of streamsOf(analysis)) {
    if (!('pipe' in connector)) continue;
    const container = pipePath(connector);
    if (connector.kind !== 'input') continue;
    const { fileId: id, access } = connector;
    inputs.push({
      kind: 'pipe',
      id,
      from: address(access.apiUrl, `file/${segment(id)}`),
      direct: false,
      container,
    });
  }
  const argsHoldToken = analysis.args.some(({ kind }) => kind === 'token');
  return { staged: { args, argsHoldToken, ...volumes.staged() }, inputs, refusals: unique(refusals) };
}

function rehearseVolumes(
  { runId, tmpDir, mountPrefix, guardBind }: DryRunOptions,
  refusals: DsaSlurmError[],
): {
  place: (volume: VolumeRef) => MountedVolume;
  bindHostPath: (bind: StagedBind) => void;
  inputDirectory: (volume: VolumeRef, label: string) => string;
  staged: () => { binds: StagedBind[]; ownDirectories: string[] };
} {
  const name = runDirectoryName(runId);
  const home = path.join(tmpDir, name);
  const ownDirectories = [home];
  const places = new Map<string, MountedVolume>();
  const binds = new Map<string, StagedBind>();

  const bind = ({ host, container, mode }: StagedBind): void => {
    const other = binds.get(container);
    if (other !== undefined && (other.host !== host || other.mode !== mode)) {
      refusals.push(
        new DsaSlurmError('files', `Two different volumes have the same container path ${container}.`),
      );
    }
    binds.set(container, { host, container, mode });
  };
  const guard = (host: string, use: BindUse): void => {
    try {
      guardBind(host, use);
    } catch (error) {
      if (!(error instanceof DsaSlurmError)) throw error;
      refusals.push(error);
    }
  };
  const bindHostPath = (foreign: StagedBind): void => {
    guard(foreign.host, 'whole');
    bind(foreign);
  };
  const temporary = (identity: string, hostDir: string | null, mode: 'ro' | 'rw'): MountedVolume => {
    const known = places.get(identity);
    if (known !== undefined) return known;
    const count = places.size + 1;
    const inHome = identity === 'default' ? identity : `volume-${count}`;
    const host = hostDir === null ? path.join(home, inHome) : path.join(hostDir, `${name}-${count}`);
    if (hostDir !== null) {
      guard(hostDir, 'inside');
      ownDirectories.push(host);
    }
    const made = { host, container: `/mnt/girder_worker/<volume-${count}>` };
    places.set(identity, made);
    bind({ ...made, mode });
    return made;
  };
  const place = (volume: VolumeRef): MountedVolume => {
    switch (volume.kind) {
      case 'default':
        return temporary('default', null, 'rw');
      case 'temporary':
        return temporary(volume.identity, volume.hostDir, volume.mode);
      case 'bind':
        guard(volume.host, 'whole');
        bindHostPath({ ...volume, host: withMountPrefix(volume.host, volume.host, mountPrefix) });
        return volume;
    }
  };
  place({ kind: 'default' });
  return {
    place,
    bindHostPath,
    inputDirectory: (volume, label) =>
      path.posix.join(place(volume).container, volume.kind === 'bind' ? `${name}-${label}` : label),
    staged: () => ({ binds: [...binds.values()], ownDirectories }),
  };
}

function unique(refusals: readonly DsaSlurmError[]): DsaSlurmError[] {
  return [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()];
}
