import path from 'node:path';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { readdir, rm } from '../../base/network-fs.js';
import type { OutputHook, StagedAnalysis, UploadOptions, VolumeRef } from '../protocol/analysis.js';
import { clientFor, type GirderSetup } from '../api/client.js';
import { transferGroup, displayName, type TransferContext } from './download.js';
import { pathInVolume } from './file-names.js';
import { GirderError } from '../api/girder-error.js';
import {
  ensureFolder,
  findOutput,
  listOutput,
  uploadArtifact,
  uploadFileToFolder,
  uploadFileToItem,
} from './upload.js';
import type { PendingUpload, UploadRecord } from './upload-content.js';

export interface UploadOutputsOptions extends GirderSetup {
  signal: AbortSignal;
  /** Keys of outputs that an earlier attempt has uploaded; they are left alone. */
  done: ReadonlySet<string>;
  /** Told of each upload once Girder has it; awaited, so that it can be written down first. */
  onDone: (key: string) => void | Promise<void>;
  /** Uploads that an earlier attempt has begun, by the key of their output. */
  begun?: Readonly<Record<string, PendingUpload>>;
  /** Told of each upload that is begun, so that it can be written down; awaited. */
  onBegin?: (key: string, upload: PendingUpload) => Promise<void>;
  /** Words for the Girder job's log. */
  onProgress?: (text: string) => void;
}

/**
 * Outputs that are not there: those that must be, and with `all` those that need not be too. On a network file system
 * they may be there and not show yet; looking into their directory makes it ask its server.
 */
export async function missingOutputs(
  hooks: readonly OutputHook[],
  staged: StagedAnalysis,
  { done, all }: { done: ReadonlySet<string>; all: boolean },
): Promise<string[]> {
  const missing: string[] = [];
  for (const [index, hook] of hooks.entries()) {
    const relative = pathInVolume(hook.filename);
    const isOptional = hook.kind === 'jobArtifact' || (hook.kind === 'uploadToFolder' && !hook.mustExist);
    if (done.has(String(index)) || relative === null || (isOptional && !all)) continue;
    const root = rootOf(hook.volume, staged, hook.filename);
    if ((await findOutput(root, relative)).kind !== 'nothing') continue;
    await readdir(path.dirname(path.join(root, relative))).catch(() => undefined);
    if ((await findOutput(root, relative)).kind === 'nothing') missing.push(hook.filename);
  }
  return missing;
}

/** One hook and how to carry it out. */
interface Delivery {
  hook: OutputHook;
  /** The volume's directory on this host, and the output below it. */
  root: string;
  relative: string;
  key: string;
  options: UploadOutputsOptions;
  context: TransferContext;
}

/**
 * Uploads the outputs of an analysis that ended well, in the order in which they are named. The first that fails stops the
 * later ones.
 * @throws DsaSlurmError about the output that is missing or cannot be uploaded.
 */
export async function uploadOutputs(
  hooks: readonly OutputHook[],
  staged: StagedAnalysis,
  options: UploadOutputsOptions,
): Promise<void> {
  for (const [index, hook] of hooks.entries()) await carryOut(hook, index, staged, options);
}

/**
 * Keeps what an analysis that failed was to leave behind: artifacts with `upload_on_exception` (contract, section d, step
 * 7). What cannot be kept is said in the log and never hides why the analysis failed.
 * @throws only if `signal` aborts
 */
export async function uploadArtifactsAfterFailure(
  hooks: readonly OutputHook[],
  staged: StagedAnalysis,
  options: UploadOutputsOptions,
): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    if (hook.kind !== 'jobArtifact' || !hook.uploadOnException) continue;
    try {
      await carryOut(hook, index, staged, options);
    } catch (error) {
      options.signal.throwIfAborted();
      options.onProgress?.(`The artifact “${displayName(hook.filename)}” is not kept: ${errorLine(error)}`);
    }
  }
}

async function carryOut(
  hook: OutputHook,
  index: number,
  staged: StagedAnalysis,
  options: UploadOutputsOptions,
): Promise<void> {
  const key = String(index);
  if (options.done.has(key)) return;
  const relative = pathInVolume(hook.filename);
  if (relative === null) throw outputOutsideVolume(hook.filename);
  const root = rootOf(hook.volume, staged, hook.filename);
  const context: TransferContext = {
    client: clientFor(hook.access, options),
    clock: options.clock,
    signal: options.signal,
    onProgress: options.onProgress,
  };
  await deliver({ hook, root, relative, key, options, context });
  await options.onDone(key);
  // after it was written down, for what is deleted cannot be uploaded again; a volume itself is never deleted here
  if (hook.kind !== 'jobArtifact' && hook.deleteFile && relative !== '.') {
    await rm(path.join(root, relative), { recursive: true, force: true });
  }
}

/** The error for an output name that leads out of its volume; the same for arguments and outputs. */
export function outputOutsideVolume(filename: string): DsaSlurmError {
  return new DsaSlurmError(
    'files',
    `The output name “${displayName(filename)}” leads out of the directory of the run.`,
    {
      next: 'Choose a plain file name for this output.',
    },
  );
}

function rootOf(volume: VolumeRef, staged: StagedAnalysis, filename: string): string {
  switch (volume.kind) {
    case 'bind':
      return volume.host;
    case 'default': {
      const place = staged.volumes['default'];
      if (place !== undefined) return place.host;
      break;
    }
    case 'temporary': {
      // a hook is a document of its own, so its volume has no name that the task's document knows
      const places = Object.entries(staged.volumes).filter(([name]) => name !== 'default');
      const [only] = places;
      if (only !== undefined && places.length === 1) return only[1].host;
      break;
    }
  }
  throw new DsaSlurmError(
    'files',
    `The output “${displayName(filename)}” names a temporary volume, and it cannot be told which one of the task.`,
    { next: 'Use the default temporary volume for outputs.' },
  );
}

async function deliver(delivery: Delivery): Promise<void> {
  const { hook, root, relative, options, context } = delivery;
  const found = await findOutput(root, relative);
  if (found.kind === 'refused') {
    throw new DsaSlurmError(
      'files',
      `The output “${displayName(hook.filename)}” is not uploaded: ${found.reason}.`,
    );
  }
  if (found.kind === 'nothing') {
    if (hook.kind === 'jobArtifact' || (hook.kind === 'uploadToFolder' && !hook.mustExist)) return;
    throw new DsaSlurmError('files', `The output “${displayName(hook.filename)}” is missing.`, {
      next: 'The log of the analysis may tell why it was not written.',
    });
  }
  switch (hook.kind) {
    case 'uploadToFolder':
      if (found.kind === 'file')
        return uploadFileToFolder(
          context,
          found.real,
          hook.folderId,
          named(delivery),
          memoryOf(options, delivery.key),
        );
      return together(delivery, async (counted) =>
        deliverTree(counted, hook.folderId, relative, withoutName(hook.upload)),
      );
    case 'uploadToItem':
      if (found.kind === 'file') return uploadFileToItem(context, found.real, hook.itemId, named(delivery));
      return together(delivery, async (counted) =>
        eachFile(counted, relative, async (real) =>
          uploadFileToItem(counted.context, real, hook.itemId, withoutName(hook.upload)),
        ),
      );
    case 'jobArtifact': {
      const { jobId } = hook;
      if (jobId === null) return options.onProgress?.('An artifact of this job is skipped: it names no job.');
      try {
        if (found.kind === 'file') return await uploadArtifact(context, found.real, jobId, hook.name);
        return await eachFile(delivery, relative, async (real) => uploadArtifact(context, real, jobId, null));
      } catch (error) {
        if (!(error instanceof GirderError) || !/no matching route/i.test(error.girderMessage ?? ''))
          throw error;
        return options.onProgress?.(
          `“${displayName(hook.filename)}” is not kept: this Girder has no place for job artifacts.`,
        );
      }
    }
  }
}

/** All files of a directory: told of as one. */
async function together(delivery: Delivery, deliver: (counted: Delivery) => Promise<void>): Promise<void> {
  const what = `the directory “${displayName(delivery.hook.filename)}”`;
  await transferGroup(delivery.context, ['Uploading', 'Uploaded'], what, async (context) =>
    deliver({ ...delivery, context }),
  );
}

function memoryOf({ begun, onBegin }: UploadOutputsOptions, key: string): UploadRecord {
  return { begun: begun?.[key] ?? null, begin: async (upload) => onBegin?.(key, upload) };
}

/** The container's name for the file, even where that is a link to another name. */
function named({ hook, relative }: Delivery): UploadOptions {
  const upload = hook.kind === 'jobArtifact' ? {} : hook.upload;
  return { filename: path.basename(relative), ...upload };
}

/** One name cannot serve all files of a directory. */
function withoutName(upload: UploadOptions): UploadOptions {
  const { filename: _, ...rest } = upload;
  return rest;
}

async function deliverTree(
  delivery: Delivery,
  folderId: string,
  relative: string,
  upload: UploadOptions,
): Promise<void> {
  const { context } = delivery;
  await eachFile(delivery, relative, async (real, name, key) =>
    uploadFileToFolder(
      context,
      real,
      folderId,
      { ...upload, filename: name },
      memoryOf(delivery.options, key),
    ),
  );
  for (const entry of await listOutput(delivery.root, relative, () => undefined)) {
    if (entry.kind !== 'directory') continue;
    const childId = await ensureFolder(context, folderId, entry.name);
    await deliverTree(delivery, childId, path.join(relative, entry.name), upload);
  }
}

/** The files right in a directory, each with a key of its own so that none is uploaded twice. */
async function eachFile(
  delivery: Delivery,
  relative: string,
  upload: (real: string, name: string, key: string) => Promise<void>,
): Promise<void> {
  const { root, options, key } = delivery;
  const skipped = (name: string, reason: string): void =>
    options.onProgress?.(`“${displayName(name)}” is not uploaded: ${reason}.`);
  for (const entry of await listOutput(root, relative, skipped)) {
    if (entry.kind !== 'file') continue;
    const fileKey = `${key}/${path.join(relative, entry.name)}`;
    if (options.done.has(fileKey)) continue;
    await upload(entry.real, entry.name, fileKey);
    await options.onDone(fileKey);
  }
}
