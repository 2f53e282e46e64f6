import path from 'node:path';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { readdir, rm } from '../../base/files/network-fs.js';
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
  /** Keys of outputs that an earlier attempt has uploaded; they are skipped. */
  done: ReadonlySet<string>;
  /** Awaited after each completed upload, so that it can be journaled. */
  onDone: (key: string) => void | Promise<void>;
  /** Uploads that an earlier attempt has started, by the key of their output. */
  begun?: Readonly<Record<string, PendingUpload>>;
  /** Awaited after the start of each upload, so that it can be journaled. */
  onBegin?: (key: string, upload: PendingUpload) => Promise<void>;
  /** Receives sentences for the log of the Girder job. */
  onProgress?: (text: string) => void;
}

/**
 * Names of outputs that do not exist: the required ones, and with `all` the optional ones, too. On a network file system they
 * may exist but not be visible yet; listing their directory makes the client revalidate its cache.
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

/** One output hook and its context. */
interface OutputUpload {
  hook: OutputHook;
  /** The volume's directory on this host, and the output below it. */
  root: string;
  relative: string;
  key: string;
  options: UploadOutputsOptions;
  context: TransferContext;
}

/**
 * Uploads the outputs of an analysis that succeeded, in order. Stops at the first failure.
 * @throws DsaSlurmError about the output that is missing or cannot be uploaded
 */
export async function uploadOutputs(
  hooks: readonly OutputHook[],
  staged: StagedAnalysis,
  options: UploadOutputsOptions,
): Promise<void> {
  for (const [index, hook] of hooks.entries()) await processHook(hook, index, staged, options);
}

/**
 * Uploads the artifacts of a failed analysis that have `upload_on_exception` (contract, section d, step 7). Failures are only
 * logged, so that they do not hide why the analysis failed.
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
      await processHook(hook, index, staged, options);
    } catch (error) {
      options.signal.throwIfAborted();
      options.onProgress?.(
        `The artifact “${displayName(hook.filename)}” was not uploaded: ${errorLine(error)}`,
      );
    }
  }
}

async function processHook(
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
  await uploadOutput({ hook, root, relative, key, options, context });
  await options.onDone(key);
  // only after journaling: a deleted output could not be uploaded again; a volume itself is never deleted here
  if (hook.kind !== 'jobArtifact' && hook.deleteFile && relative !== '.') {
    await rm(path.join(root, relative), { recursive: true, force: true });
  }
}

/** The error for an output name that leaves its volume, in arguments and outputs. */
export function outputOutsideVolume(filename: string): DsaSlurmError {
  return new DsaSlurmError(
    'files',
    `The output name “${displayName(filename)}” is outside the directory of the run.`,
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
      // a hook is a separate document, so its volume cannot be matched to one of the task by identity
      const places = Object.entries(staged.volumes).filter(([name]) => name !== 'default');
      const [only] = places;
      if (only !== undefined && places.length === 1) return only[1].host;
      break;
    }
  }
  throw new DsaSlurmError(
    'files',
    `The output “${displayName(filename)}” is in a temporary volume that does not match exactly one volume of the task.`,
    { next: 'Use the default temporary volume for outputs.' },
  );
}

async function uploadOutput(output: OutputUpload): Promise<void> {
  const { hook, root, relative, options, context } = output;
  const found = await findOutput(root, relative);
  if (found.kind === 'refused') {
    throw new DsaSlurmError(
      'files',
      `The output “${displayName(hook.filename)}” cannot be uploaded: ${found.reason}.`,
    );
  }
  if (found.kind === 'nothing') {
    if (hook.kind === 'jobArtifact' || (hook.kind === 'uploadToFolder' && !hook.mustExist)) return;
    throw new DsaSlurmError('files', `The output “${displayName(hook.filename)}” is missing.`, {
      next: 'Check the log of the analysis for the reason.',
    });
  }
  switch (hook.kind) {
    case 'uploadToFolder':
      if (found.kind === 'file')
        return uploadFileToFolder(
          context,
          found.real,
          hook.folderId,
          withFilename(output),
          recordOf(options, output.key),
        );
      return uploadAsGroup(output, async (grouped) =>
        uploadTree(grouped, hook.folderId, relative, withoutFilename(hook.upload)),
      );
    case 'uploadToItem':
      if (found.kind === 'file')
        return uploadFileToItem(context, found.real, hook.itemId, withFilename(output));
      return uploadAsGroup(output, async (grouped) =>
        eachFile(grouped, relative, async (real) =>
          uploadFileToItem(grouped.context, real, hook.itemId, withoutFilename(hook.upload)),
        ),
      );
    case 'jobArtifact': {
      const { jobId } = hook;
      if (jobId === null)
        return options.onProgress?.('An artifact of this job was skipped: it does not name a job.');
      try {
        if (found.kind === 'file') return await uploadArtifact(context, found.real, jobId, hook.name);
        return await eachFile(output, relative, async (real) => uploadArtifact(context, real, jobId, null));
      } catch (error) {
        if (!(error instanceof GirderError) || !/no matching route/i.test(error.girderMessage ?? ''))
          throw error;
        return options.onProgress?.(
          `“${displayName(hook.filename)}” was not uploaded: this Girder does not support job artifacts.`,
        );
      }
    }
  }
}

/** Uploads the files of a directory as one group in the log. */
async function uploadAsGroup(
  output: OutputUpload,
  upload: (grouped: OutputUpload) => Promise<void>,
): Promise<void> {
  const what = `the directory “${displayName(output.hook.filename)}”`;
  await transferGroup(output.context, ['Uploading', 'Uploaded'], what, async (context) =>
    upload({ ...output, context }),
  );
}

function recordOf({ begun, onBegin }: UploadOutputsOptions, key: string): UploadRecord {
  return { begun: begun?.[key] ?? null, begin: async (upload) => onBegin?.(key, upload) };
}

/** Keeps the container's name for the file, even if it is a link to another name. */
function withFilename({ hook, relative }: OutputUpload): UploadOptions {
  const upload = hook.kind === 'jobArtifact' ? {} : hook.upload;
  return { filename: path.basename(relative), ...upload };
}

/** For the files of a directory, which cannot all have the same name. */
function withoutFilename(upload: UploadOptions): UploadOptions {
  const { filename: _, ...rest } = upload;
  return rest;
}

async function uploadTree(
  output: OutputUpload,
  folderId: string,
  relative: string,
  upload: UploadOptions,
): Promise<void> {
  const { context } = output;
  await eachFile(output, relative, async (real, name, key) =>
    uploadFileToFolder(context, real, folderId, { ...upload, filename: name }, recordOf(output.options, key)),
  );
  for (const entry of await listOutput(output.root, relative, () => undefined)) {
    if (entry.kind !== 'directory') continue;
    const childId = await ensureFolder(context, folderId, entry.name);
    await uploadTree(output, childId, path.join(relative, entry.name), upload);
  }
}

/** Uploads the files directly in a directory, each with its own key so that none is uploaded twice. */
async function eachFile(
  output: OutputUpload,
  relative: string,
  upload: (real: string, name: string, key: string) => Promise<void>,
): Promise<void> {
  const { root, options, key } = output;
  const skipped = (name: string, reason: string): void =>
    options.onProgress?.(`“${displayName(name)}” was not uploaded: ${reason}.`);
  for (const entry of await listOutput(root, relative, skipped)) {
    if (entry.kind !== 'file') continue;
    const fileKey = `${key}/${path.join(relative, entry.name)}`;
    if (options.done.has(fileKey)) continue;
    await upload(entry.real, entry.name, fileKey);
    await options.onDone(fileKey);
  }
}
