import type { OutputHook, UploadOptions, VolumeRef } from './analysis.js';
import { transformName } from './classes.js';
import { attribute, isDict, isInstance, type Pickled, type PickledInstance } from '../pickle/pickled.js';
import {
  isGirderId,
  isObjectId,
  readAccess,
  readBoolean,
  readId,
  readOptionalText,
  readText,
  type Subject,
} from './read-fields.js';
import { createVolumeReader } from './read-volumes.js';
import { quoted, rejectMessage } from './reject-message.js';

/**
 * The result hooks of a task. `known` are the temporary volumes of the body.
 *
 * Each hook is a document of its own, so its `py/id` numbers say nothing about the body's. A hook on a temporary volume gets
 * the body's volume if exactly one looks like it; else identity `hook<index>:<py/id>`, which no argument shares:
 * nothing can be in such a volume.
 */
export function readHooks(hooks: readonly Pickled[], known: readonly VolumeRef[]): OutputHook[] {
  return hooks.flatMap((hook, index) => (hook === null ? [] : [readHook(hook, index, known)]));
}

function readHook(hook: Pickled, index: number, known: readonly VolumeRef[]): OutputHook {
  if (!isInstance(hook)) return rejectMessage(`Output ${index + 1} of the task is no upload.`);
  const name = transformName(hook);
  if (name === null) {
    return rejectMessage(
      `Output ${index + 1} is of class ${quoted(hook.className)}, which is not known here.`,
    );
  }
  const place = `Output ${index + 1} (${name})`;
  switch (name) {
    case 'GirderUploadVolumePathToFolder':
      return {
        kind: 'uploadToFolder',
        access: readAccess(place, hook),
        folderId: readId(place, 'folder', attribute(hook, 'folder_id')),
        ...readVolumePath(place, hook, index, known),
        mustExist: readBoolean(place, 'must_exist', attribute(hook, 'must_exist'), true),
        deleteFile: readBoolean(place, 'delete_file', attribute(hook, 'delete_file'), false),
        upload: readUpload(place, attribute(hook, 'upload_kwargs')),
      };
    case 'GirderUploadVolumePathToItem':
      return {
        kind: 'uploadToItem',
        access: readAccess(place, hook),
        itemId: readId(place, 'item', attribute(hook, 'item_id')),
        ...readVolumePath(place, hook, index, known),
        deleteFile: readBoolean(place, 'delete_file', attribute(hook, 'delete_file'), false),
        upload: readUpload(place, attribute(hook, 'upload_kwargs')),
      };
    case 'GirderUploadVolumePathJobArtifact':
      return {
        kind: 'jobArtifact',
        access: readAccess(place, hook),
        jobId: readArtifactJob(hook),
        name: readOptionalText(place, 'name', attribute(hook, 'name')),
        ...readVolumePath(place, hook, index, known),
        uploadOnException: readBoolean(
          place,
          'upload_on_exception',
          attribute(hook, '_upload_on_exception'),
          false,
        ),
      };
    case 'GirderUploadToFolder':
    case 'GirderUploadToItem':
    case 'GirderUploadJobArtifact':
    case 'GirderItemMetadata':
      return rejectMessage(`${place} uses the value that the task returns, and a container returns none.`);
    default:
      return rejectMessage(`${place} is no upload.`);
  }
}

function readVolumePath(
  place: Subject,
  hook: PickledInstance,
  index: number,
  known: readonly VolumeRef[],
): { filename: string; volume: VolumeRef } {
  const path = attribute(hook, '_volumepath');
  if (!isInstance(path) || transformName(path) !== 'VolumePath') {
    return rejectMessage(`${place} names no path in a volume.`);
  }
  const read = createVolumeReader(`hook${index}`);
  const volume = read(place, attribute(path, '_volume'));
  return {
    filename: readText(place, 'file name', attribute(path, 'filename')),
    volume: sameVolume(volume, known),
  };
}

function sameVolume(volume: VolumeRef, known: readonly VolumeRef[]): VolumeRef {
  if (volume.kind !== 'temporary') return volume;
  const candidates = new Map<string, VolumeRef>();
  for (const other of known) {
    const fits = other.kind === 'temporary' && other.hostDir === volume.hostDir && other.mode === volume.mode;
    if (fits) candidates.set(other.identity, other);
  }
  const [only] = candidates.values();
  return only !== undefined && candidates.size === 1 ? only : volume;
}

function readUpload(place: Subject, value: Pickled): UploadOptions {
  if (value === null) return {};
  if (!isDict(value)) return rejectMessage(`${place} has upload options that are not an object.`);
  const upload: UploadOptions = {};
  for (const key of ['reference', 'filename', 'mimeType'] as const) {
    const text = readOptionalText(place, key, value.get(key) ?? null);
    if (text !== null) upload[key] = text;
  }
  return upload;
}

/** The id in the job document that Girder fills in, else the publisher's own. */
function readArtifactJob(hook: PickledInstance): string | null {
  const job = attribute(hook, 'job');
  const candidates = [isDict(job) ? (job.get('_id') ?? null) : null, attribute(hook, 'job_id')];
  const ids = candidates.map((id) => (isObjectId(id) ? id.hex : id)).filter(isGirderId);
  return ids[0]?.toLowerCase() ?? null;
}

/** Title of the Girder job, from the first hook that carries the job document. */
export function readTitle(hooks: readonly Pickled[]): string | null {
  for (const hook of hooks) {
    const job = isInstance(hook) ? attribute(hook, 'job') : null;
    const title = isDict(job) ? job.get('title') : null;
    if (typeof title === 'string') return title;
  }
  return null;
}

/** The user who started the task: from the job document of a hook, else from the `reference` of an upload (JSON). */
export function readOwnerId(hooks: readonly Pickled[]): string | null {
  for (const hook of hooks) {
    if (!isInstance(hook)) continue;
    const job = attribute(hook, 'job');
    const upload = attribute(hook, 'upload_kwargs');
    const fromJob = isDict(job) ? (job.get('userId') ?? null) : null;
    const reference = isDict(upload) ? (upload.get('reference') ?? null) : null;
    for (const id of [isObjectId(fromJob) ? fromJob.hex : fromJob, userOfReference(reference)]) {
      if (isGirderId(id)) return id.toLowerCase();
    }
  }
  return null;
}

function userOfReference(reference: Pickled): unknown {
  if (typeof reference !== 'string') return null;
  try {
    const parsed: unknown = JSON.parse(reference);
    return typeof parsed === 'object' && parsed !== null && 'userId' in parsed ? parsed.userId : null;
  } catch {
    return null;
  }
}
