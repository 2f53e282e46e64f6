import { constants } from 'node:fs';
import path from 'node:path';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { makeDirectory } from '../../base/make-directory.js';
import { access, stat, writeFile } from '../../base/network-fs.js';
import type { Analysis, ContainerArgument, Input, StagedAnalysis } from '../protocol/analysis.js';
import { mapApiUrl } from '../api/api-url.js';
import { clientFor, type GirderSetup } from '../api/client.js';
import { outputOutsideVolume } from './upload-outputs.js';
import {
  downloadFile,
  downloadFolder,
  downloadItem,
  getFile,
  getNamed,
  withDiskErrors,
  displayName,
} from './download.js';
import type { TransferContext } from './download.js';
import { pathInVolume, safeName } from './file-names.js';
import { maxArgumentBytes } from '../protocol/read-arguments.js';
import { streamsOf, type StreamConnector } from '../protocol/streams.js';
import {
  createVolumes,
  withMountPrefix,
  removeLeftovers,
  removeStaged,
  type VolumeTable,
} from './volumes.js';

export { removeLeftovers, removeStaged };

interface StageOptions extends GirderSetup {
  /** Directory for temporary volumes; compute nodes see it at the same path. */
  tmpDir: string;
  runId: string;
  /** Directories of the worker that no container may see: state, logs, profiles. */
  privateDirectories: readonly string[];
  /** Prefix of assetstore paths on compute nodes. */
  mountPrefix: string | null;
  /** Whether files named by `GirderFileIdAllowDirect` may be used in place. */
  directPaths: boolean;
  signal: AbortSignal;
  /** Receives sentences for the log of the Girder job. */
  onProgress?: (text: string) => void;
}

/**
 * Puts the inputs of an analysis in place, one by one, and resolves the arguments. First removes what an earlier attempt at the
 * same run left; on failure, removes its own files.
 * @throws DsaSlurmError `girder` or `files`, about the input
 */
export async function stageAnalysis(analysis: Analysis, options: StageOptions): Promise<StagedAnalysis> {
  const volumes = await createVolumes(options);
  try {
    for (const volume of analysis.volumes) await volumes.mount(volume);
    for (const { filename } of analysis.hooks) {
      if (pathInVolume(filename) === null) throw outputOutsideVolume(filename);
    }
    const staging: Staging = { volumes, inputs: new Map(), options };
    const args: string[] = [];
    for (const [index, argument] of analysis.args.entries()) {
      args.push(await resolve(argument, index, staging));
    }
    const pipes: (string | null)[] = [];
    for (const connector of streamsOf(analysis)) {
      pipes.push('pipe' in connector ? await makePipe(connector, staging) : null);
    }
    const argsHoldToken = analysis.args.some(({ kind }) => kind === 'token');
    return { args, argsHoldToken, pipes, ...volumes.staged() };
  } catch (error) {
    await removeStaged(volumes.staged()).catch((left: unknown) => {
      options.log.warn({ run: options.runId, error: errorLine(left) }, 'could not remove temporary files');
    });
    throw error;
  }
}

interface Staging {
  volumes: VolumeTable;
  /** Container paths by the identity of the input. */
  inputs: Map<string, string>;
  options: StageOptions;
}

async function resolve(argument: ContainerArgument, index: number, staging: Staging): Promise<string> {
  switch (argument.kind) {
    case 'text':
      return argument.text;
    case 'token':
      return argument.access.token;
    case 'apiUrl':
      // with a trailing slash, as girder_worker passes it
      return `${mapApiUrl(argument.access.apiUrl, staging.options.apiUrlMap).replace(/\/+$/, '')}/`;
    case 'volume':
      return (await staging.volumes.mount(argument.volume)).container;
    case 'stream':
      return 'pipe' in argument.connector
        ? (await placePipe(argument.connector, staging.volumes)).container
        : '';
    case 'directory':
      return onceOnly(argument.identity, staging, async () => {
        const made = await staging.volumes.inputDirectory({ kind: 'default' }, `${index}-directory`);
        return made.container;
      });
    case 'volumePath': {
      const relative = pathInVolume(argument.filename);
      if (relative === null) throw outputOutsideVolume(argument.filename);
      const { host, container } = await staging.volumes.mount(argument.volume);
      if (argument.volume.kind !== 'bind') {
        const parent = path.dirname(path.join(host, relative));
        await withDiskErrors(parent, makeDirectory(parent));
      }
      return path.posix.join(container, relative);
    }
    case 'joined': {
      const paths: string[] = [];
      for (const [part, input] of argument.parts.entries()) {
        const label = `${index}.${part}`;
        paths.push(await onceOnly(input.identity, staging, async () => fetchInput(input, label, staging)));
      }
      return joinPaths(paths);
    }
    case 'file':
    case 'folder':
    case 'item':
      return onceOnly(argument.identity, staging, async () => fetchInput(argument, `${index}`, staging));
  }
}

async function onceOnly(identity: string, staging: Staging, make: () => Promise<string>): Promise<string> {
  const made = staging.inputs.get(identity) ?? (await make());
  staging.inputs.set(identity, made);
  return made;
}

type PipeConnector = Extract<StreamConnector, { pipe: unknown }>;

async function placePipe({ pipe }: PipeConnector, volumes: VolumeTable): ReturnType<VolumeTable['mount']> {
  const relative = pathInVolume(pipe.name);
  if (relative === null || relative === '.') {
    throw new DsaSlurmError(
      'files',
      `The pipe name “${displayName(pipe.name)}” is not a file in its volume.`,
    );
  }
  const { host, container } = await volumes.mount(pipe.volume);
  return { host: path.join(host, relative), container: path.posix.join(container, relative) };
}

/** Creates the file that replaces a pipe: with the content of a Girder file, or empty for the container to write to. */
async function makePipe(connector: PipeConnector, { volumes, options }: Staging): Promise<string> {
  const { host } = await placePipe(connector, volumes);
  const ownsVolume = connector.pipe.volume.kind !== 'bind';
  if (ownsVolume) await withDiskErrors(path.dirname(host), makeDirectory(path.dirname(host)));
  // never overwrite: in a directory of others an existing file belongs to someone else
  await withDiskErrors(host, writeFile(host, '', { flag: 'wx', mode: 0o600 }));
  if (!ownsVolume) await volumes.trackFile(host);
  if (connector.kind === 'input') {
    const { clock, signal, onProgress } = options;
    const client = clientFor(connector.access, options);
    const file = await getFile(client, connector.fileId, signal);
    await downloadFile({ client, clock, signal, onProgress }, file, host);
  }
  return host;
}

/**
 * Joins several inputs into one argument.
 * @throws DsaSlurmError `files` if a path contains a comma, or if the argument is too long for Linux
 */
export function joinPaths(paths: readonly string[]): string {
  const withComma = paths.find((each) => each.includes(','));
  if (withComma !== undefined) {
    throw new DsaSlurmError(
      'files',
      `“${displayName(path.basename(withComma))}” has a comma in its name, which separates the inputs of one parameter.`,
      { next: 'Rename it in Girder and start the analysis again.' },
    );
  }
  const joined = paths.join(',');
  if (Buffer.byteLength(joined) > maxArgumentBytes) {
    throw new DsaSlurmError(
      'files',
      `${paths.length} inputs in one parameter are longer than Linux allows.`,
      {
        next: 'Choose fewer inputs, or a folder.',
      },
    );
  }
  return joined;
}

/** @param label unique within the run */
async function fetchInput(input: Input, label: string, { volumes, options }: Staging): Promise<string> {
  if (
    input.kind === 'file' &&
    input.directPath !== null &&
    (options.directPaths || !input.directIfOpened) &&
    (await isReadableFile(input.directPath))
  ) {
    const name = safeName(input.fileName ?? path.basename(input.directPath));
    const container = `/mnt/girder_direct_worker/${label}/${name}`;
    const host = withMountPrefix(input.directPath, path.dirname(input.directPath), options.mountPrefix);
    await volumes.bindHostPath({ host, container, mode: 'ro' });
    return container;
  }
  const { signal } = options;
  const client = clientFor(input.access, options);
  const context: TransferContext = { client, clock: options.clock, signal, onProgress: options.onProgress };
  const inputDirectory = async (id: string): ReturnType<VolumeTable['inputDirectory']> =>
    volumes.inputDirectory(input.volume, safeName(`${label}-${id.slice(0, 64)}`));
  switch (input.kind) {
    case 'file': {
      const file = await getFile(client, input.fileId, signal);
      const directory = await inputDirectory(input.fileId);
      const name = safeName(input.fileName ?? file.name);
      await downloadFile(context, file, path.join(directory.host, name));
      return path.posix.join(directory.container, name);
    }
    case 'folder': {
      const folder = await getNamed(client, 'folder', input.folderId, signal);
      const directory = await inputDirectory(input.folderId);
      const named = { ...folder, name: input.folderName ?? folder.name };
      const made = await downloadFolder(context, named, directory.host);
      return path.posix.join(directory.container, path.basename(made));
    }
    case 'item': {
      const item = await getNamed(client, 'item', input.itemId, signal);
      const directory = await inputDirectory(input.itemId);
      const made = await downloadItem(context, item, directory.host);
      if (input.path === 'directory') return directory.container;
      return path.posix.join(directory.container, path.basename(made));
    }
  }
}

/** Whether a path, after resolving links, is a readable regular file; not a device or a FIFO, which a container could drain. */
async function isReadableFile(file: string): Promise<boolean> {
  try {
    if (!path.isAbsolute(file) || !(await stat(file)).isFile()) return false;
    await access(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
