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
 * The result hooks of a task.
 *
 * Each hook is a separate document, so its `py/id` numbers do not refer to the body. A hook on a temporary volume gets the
 * body's volume if exactly one matches, else the identity `hook<index>:<py/id>`, which no argument shares: such a volume is
 * always empty.
 * @param known the temporary volumes of the body
 */
export function readHooks(hooks: readonly Pickled[], known: readonly VolumeRef[]): OutputHook[] {
  return hooks.flatMap((hook, index) => (hook === null ? [] : [readHook(hook, index, known)]));
}

function readHook(hook: Pickled, index: number, known: readonly VolumeRef[]): OutputHook {
  if (!isInstance(hook)) return rejectMessage(`Output ${index + 1} of the task is not an upload.`);
  const name = transformName(hook);
  if (name === null) {
    return rejectMessage(
      `Output ${index + 1} is of class ${quoted(hook.className)}, which is not supported.`,
    );
  }
  const subject = `Output ${index + 1} (${name})`;
  switch (name) {
    case 'GirderUploadVolumePathToFolder':
      return {
        kind: 'uploadToFolder',
        access: readAccess(subject, hook),
        folderId: readId(subject, 'folder', attribute(hook, 'folder_id')),
        ...readVolumePath(subject, hook, index, known),
        mustExist: readBoolean(subject, 'must_exist', attribute(hook, 'must_exist'), true),
        deleteFile: readBoolean(subject, 'delete_file', attribute(hook, 'delete_file'), false),
        upload: readUpload(subject, attribute(hook, 'upload_kwargs')),
      };
    case 'GirderUploadVolumePathToItem':
      return {
        kind: 'uploadToItem',
        access: readAccess(subject, hook),
        itemId: readId(subject, 'item', attribute(hook, 'item_id')),
        ...readVolumePath(subject, hook, index, known),
        deleteFile: readBoolean(subject, 'delete_file', attribute(hook, 'delete_file'), false),
        upload: readUpload(subject, attribute(hook, 'upload_kwargs')),
      };
    case 'GirderUploadVolumePathJobArtifact':
      return {
        kind: 'jobArtifact',
        access: readAccess(subject, hook),
        jobId: readArtifactJob(hook),
        name: readOptionalText(subject, 'name', attribute(hook, 'name')),
        ...readVolumePath(subject, hook, index, known),
        uploadOnException: readBoolean(
          subject,
          'upload_on_exception',
          attribute(hook, '_upload_on_exception'),
          false,
        ),
      };
    case 'GirderUploadToFolder':
    case 'GirderUploadToItem':
    case 'GirderUploadJobArtifact':
    case 'GirderItemMetadata':
      return rejectMessage(`${subject} uses the return value of the task, which a container does not have.`);
    default:
      return rejectMessage(`${subject} is not an upload.`);
  }
}

function readVolumePath(
  subject: Subject,
  hook: PickledInstance,
  index: number,
  known: readonly VolumeRef[],
): { filename: string; volume: VolumeRef } {
  const path = attribute(hook, '_volumepath');
  if (!isInstance(path) || transformName(path) !== 'VolumePath') {
    return rejectMessage(`${subject} does not name a path in a volume.`);
  }
  const read = createVolumeReader(`hook${index}`);
  const volume = read(subject, attribute(path, '_volume'));
  return {
    filename: readText(subject, 'file name', attribute(path, 'filename')),
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

function readUpload(subject: Subject, value: Pickled): UploadOptions {
  if (value === null) return {};
  if (!isDict(value)) return rejectMessage(`${subject} has upload options that are not an object.`);
  const upload: UploadOptions = {};
  for (const key of ['reference', 'filename', 'mimeType'] as const) {
    const text = readOptionalText(subject, key, value.get(key) ?? null);
    if (text !== null) upload[key] = text;
  }
  return upload;
}

/** The id in the job document, which Girder fills in, else the publisher's `job_id`. */
function readArtifactJob(hook: PickledInstance): string | null {
  const job = attribute(hook, 'job');
  const candidates = [isDict(job) ? (job.get('_id') ?? null) : null, attribute(hook, 'job_id')];
  const ids = candidates.map((id) => (isObjectId(id) ? id.hex : id)).filter(isGirderId);
  return ids[0]?.toLowerCase() ?? null;
}

/** Title of the Girder job, from the first hook that contains the job document. */
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
