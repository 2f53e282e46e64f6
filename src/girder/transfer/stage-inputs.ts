import { constants } from 'node:fs';
import path from 'node:path';
import { errorLine } from '../../base/errors.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { access, stat, writeFile } from '../../base/files/network-fs.js';
import type { Analysis, Input, StagedAnalysis } from '../protocol/analysis.js';
import { clientFor, type GirderSetup } from '../api/client.js';
import { downloadFile, downloadFolder, downloadItem, getFile, getNamed, withDiskErrors } from './download.js';
import type { TransferContext } from './download.js';
import { safeName } from './file-names.js';
import { resolveArguments, type PipeConnector } from './resolve-arguments.js';
import { openVolumeDisk, removeLeftovers, removeStaged } from './volume-disk.js';
import { createVolumes, type MountedVolume, type VolumeTable } from './volumes.js';

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
  const volumes = await createVolumes(await openVolumeDisk(options), { ...options, refuse });
  try {
    return await resolveArguments(
      analysis,
      {
        volumes,
        isReadableFile,
        onDirectInput: () => undefined,
        fetch: async (input, makeInputDirectory) => fetchInput(input, makeInputDirectory, options),
        async makeParent(file) {
          const parent = path.dirname(file);
          await withDiskErrors(parent, makeDirectory(parent));
        },
        makePipe: async (connector, { host }) => makePipe(connector, host, { volumes, options }),
        refuse,
      },
      options,
    );
  } catch (error) {
    await removeStaged(volumes.staged()).catch((left: unknown) => {
      options.log.warn({ run: options.runId, error: errorLine(left) }, 'could not remove temporary files');
    });
    throw error;
  }
}

function refuse(error: Error): never {
  throw error;
}

async function makePipe(
  connector: PipeConnector,
  host: string,
  { volumes, options }: { volumes: VolumeTable; options: StageOptions },
): Promise<void> {
  const ownsVolume = connector.pipe.volume.kind !== 'bind';
  if (ownsVolume) await withDiskErrors(path.dirname(host), makeDirectory(path.dirname(host)));
  // never overwrite: in a directory of others an existing file belongs to someone else
  await withDiskErrors(host, writeFile(host, '', { flag: 'wx', mode: 0o600 }));
  if (!ownsVolume) await volumes.trackFile(host);
  if (connector.kind !== 'input') return;
  const { clock, signal, onProgress } = options;
  const client = clientFor(connector.access, options);
  const file = await getFile(client, connector.fileId, signal);
  await downloadFile({ client, clock, signal, onProgress }, file, host);
}

async function fetchInput(
  input: Input,
  makeInputDirectory: () => Promise<MountedVolume>,
  options: StageOptions,
): Promise<string> {
  const { signal } = options;
  const client = clientFor(input.access, options);
  const context: TransferContext = { client, clock: options.clock, signal, onProgress: options.onProgress };
  switch (input.kind) {
    case 'file': {
      const file = await getFile(client, input.fileId, signal);
      const directory = await makeInputDirectory();
      const name = safeName(input.fileName ?? file.name);
      await downloadFile(context, file, path.join(directory.host, name));
      return path.posix.join(directory.container, name);
    }
    case 'folder': {
      const folder = await getNamed(client, 'folder', input.folderId, signal);
      const directory = await makeInputDirectory();
      const named = { ...folder, name: input.folderName ?? folder.name };
      const made = await downloadFolder(context, named, directory.host);
      return path.posix.join(directory.container, path.basename(made));
    }
    case 'item': {
      const item = await getNamed(client, 'item', input.itemId, signal);
      const directory = await makeInputDirectory();
      const made = await downloadItem(context, item, directory.host);
      if (input.path === 'directory') return directory.container;
      return path.posix.join(directory.container, path.basename(made));
    }
  }
}

/**
 * Whether a path, after resolving links, is a readable regular file; not a device or a FIFO, which a container could drain.
 */
export async function isReadableFile(file: string): Promise<boolean> {
  try {
    if (!path.isAbsolute(file) || !(await stat(file)).isFile()) return false;
    await access(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
