import path from 'node:path';
import { DsaSlurmError } from '../../base/errors.js';
import { mapApiUrl, type ApiUrlMap } from '../api/api-url.js';
import type { Analysis, ContainerArgument, Input, StagedAnalysis, StagedBind } from '../protocol/analysis.js';
import { maxArgumentBytes } from '../protocol/read-arguments.js';
import { streamsOf, type StreamConnector } from '../protocol/streams.js';
import { displayName } from './download.js';
import { pathInVolume, safeName } from './file-names.js';
import { outputOutsideVolume } from './upload-outputs.js';
import { withMountPrefix, type MountedVolume, type VolumeTable } from './volumes.js';

export type PipeConnector = Extract<StreamConnector, { pipe: unknown }>;

/** The side effects of staging: real ones, or those of a dry run. */
export interface StagingSteps {
  volumes: VolumeTable;
  /** Whether a path, after resolving links, is a readable regular file of this host. */
  isReadableFile(file: string): Promise<boolean>;
  /** Called for an input that is bound from this host instead of being downloaded. */
  onDirectInput(input: Input, bind: StagedBind): void;
  /**
   * Brings an input into the directory that `makeDirectory` creates for it.
   * @returns the input's path in the container
   */
  fetch(input: Input, makeDirectory: () => Promise<MountedVolume>): Promise<string>;
  /** Creates the parent of an output in a volume of the run. */
  makeParent(file: string): Promise<void>;
  /** Creates the file that replaces a pipe: with the content of a Girder file, or empty for the container to write to. */
  makePipe(connector: PipeConnector, at: MountedVolume): Promise<void>;
  /** Receives a reason to refuse the analysis. It throws, except in a dry run, which collects all reasons. */
  refuse(error: DsaSlurmError): void;
}

interface ResolveOptions {
  apiUrlMap: ApiUrlMap;
  /** Prefix of assetstore paths on compute nodes. */
  mountPrefix: string | null;
  /** Whether files named by `GirderFileIdAllowDirect` may be used in place. */
  directPaths: boolean;
}

/** Stands in a dry run for a path that was refused. */
const noPath = '<no path in its volume>';

/** Stages the inputs of an analysis one by one, and resolves its arguments. */
export async function resolveArguments(
  analysis: Analysis,
  steps: StagingSteps,
  options: ResolveOptions,
): Promise<StagedAnalysis> {
  const { volumes, refuse } = steps;
  /** Container paths by the identity of the input. */
  const staged = new Map<string, string>();

  const relativePath = (filename: string): string => {
    const relative = pathInVolume(filename);
    if (relative === null) refuse(outputOutsideVolume(filename));
    return relative ?? noPath;
  };
  const placePipe = async ({ pipe }: PipeConnector): Promise<MountedVolume> => {
    let relative = pathInVolume(pipe.name);
    if (relative === null || relative === '.') {
      const problem = `The pipe name “${displayName(pipe.name)}” is not a file in its volume.`;
      refuse(new DsaSlurmError('files', problem));
      relative = noPath;
    }
    const { host, container } = await volumes.mount(pipe.volume);
    return { host: path.join(host, relative), container: path.posix.join(container, relative) };
  };
  const once = async (identity: string, make: () => Promise<string>): Promise<string> => {
    const made = staged.get(identity) ?? (await make());
    staged.set(identity, made);
    return made;
  };

  /** @param label unique within the run */
  const stage = async (input: Input, label: string): Promise<string> => {
    if (
      input.kind === 'file' &&
      input.directPath !== null &&
      (options.directPaths || !input.directIfOpened) &&
      (await steps.isReadableFile(input.directPath))
    ) {
      const name = safeName(input.fileName ?? path.basename(input.directPath));
      const container = `/mnt/girder_direct_worker/${label}/${name}`;
      const host = withMountPrefix(input.directPath, path.dirname(input.directPath), options.mountPrefix);
      const bind: StagedBind = { host, container, mode: 'ro' };
      await volumes.bindHostPath(bind);
      steps.onDirectInput(input, bind);
      return container;
    }
    const id = inputId(input);
    return steps.fetch(input, async () =>
      volumes.inputDirectory(input.volume, safeName(`${label}-${id.slice(0, 64)}`)),
    );
  };

  const resolve = async (argument: ContainerArgument, index: number): Promise<string> => {
    switch (argument.kind) {
      case 'text':
        return argument.text;
      case 'token':
        return argument.access.token;
      case 'apiUrl':
        // with a trailing slash, as girder_worker passes it
        return `${mapApiUrl(argument.access.apiUrl, options.apiUrlMap).replace(/\/+$/, '')}/`;
      case 'volume':
        return (await volumes.mount(argument.volume)).container;
      case 'stream':
        return 'pipe' in argument.connector ? (await placePipe(argument.connector)).container : '';
      case 'directory':
        return once(argument.identity, async () => {
          const made = await volumes.inputDirectory({ kind: 'default' }, `${index}-directory`);
          return made.container;
        });
      case 'volumePath': {
        const relative = relativePath(argument.filename);
        const { host, container } = await volumes.mount(argument.volume);
        if (argument.volume.kind !== 'bind') await steps.makeParent(path.join(host, relative));
        return path.posix.join(container, relative);
      }
      case 'joined': {
        const paths: string[] = [];
        for (const [part, input] of argument.parts.entries()) {
          paths.push(await once(input.identity, async () => stage(input, `${index}.${part}`)));
        }
        return joinPaths(paths, refuse);
      }
      case 'file':
      case 'folder':
      case 'item':
        return once(argument.identity, async () => stage(argument, `${index}`));
    }
  };

  for (const volume of analysis.volumes) await volumes.mount(volume);
  for (const { filename } of analysis.hooks) relativePath(filename);
  const args: string[] = [];
  for (const [index, argument] of analysis.args.entries()) args.push(await resolve(argument, index));
  const pipes: (string | null)[] = [];
  for (const connector of streamsOf(analysis)) {
    if ('pipe' in connector) {
      const at = await placePipe(connector);
      await steps.makePipe(connector, at);
      pipes.push(at.host);
    } else pipes.push(null);
  }
  const argsHoldToken = analysis.args.some(({ kind }) => kind === 'token');
  return { args, argsHoldToken, pipes, ...volumes.staged() };
}

/** The id of an input in Girder. */
export function inputId(input: Input): string {
  switch (input.kind) {
    case 'file':
      return input.fileId;
    case 'folder':
      return input.folderId;
    case 'item':
      return input.itemId;
  }
}

/**
 * Joins several inputs into one argument. Refuses a path with a comma, and an argument that is too long for Linux (error
 * `files`).
 */
function joinPaths(paths: readonly string[], refuse: StagingSteps['refuse']): string {
  const withComma = paths.find((each) => each.includes(','));
  if (withComma !== undefined) {
    refuse(
      new DsaSlurmError(
        'files',
        `“${displayName(path.basename(withComma))}” has a comma in its name, which separates the inputs of one parameter.`,
        { next: 'Rename it in Girder and start the analysis again.' },
      ),
    );
  }
  const joined = paths.join(',');
  if (Buffer.byteLength(joined) > maxArgumentBytes) {
    refuse(
      new DsaSlurmError('files', `${paths.length} inputs in one parameter are longer than Linux allows.`, {
        next: 'Choose fewer inputs, or a folder.',
      }),
    );
  }
  return joined;
}
