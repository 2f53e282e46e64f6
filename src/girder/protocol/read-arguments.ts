import path from 'node:path';
import { inputsOf, type ContainerArgument, type Input } from './analysis.js';
import { transformName } from './classes.js';
import {
  attribute,
  isInstance,
  sequenceItems,
  type Pickled,
  type PickledInstance,
} from '../pickle/pickled.js';
import { pythonStr } from '../pickle/python-str.js';
import {
  isAbsolutePath,
  readAccess,
  readId,
  readOptionalText,
  readText,
  type Subject,
} from './read-fields.js';
import { readConnector } from './read-streams.js';
import type { ReadVolume } from './read-volumes.js';
import { quoted, rejectMessage } from './reject-message.js';

/** Longest argument that Linux accepts, in bytes (`MAX_ARG_STRLEN` minus the final NUL). */
export const maxArgumentBytes = 131_071;

/**
 * The task's parameter `container_args`: scalars as Python's `str()` formats them, and transforms. Nested lists and objects are
 * rejected: girder_worker would pass their Python representation (`['a', {…}]`) to the program, which no publisher intends.
 */
export function readArguments(value: Pickled, readVolume: ReadVolume): ContainerArgument[] {
  if (value === null) return [];
  const items = sequenceItems(value) ?? rejectMessage('The container arguments of the task are not a list.');
  return items.map((item, index) => readArgument(index + 1, item, readVolume));
}

function readArgument(position: number, value: Pickled, readVolume: ReadVolume): ContainerArgument {
  if (isInstance(value)) return readTransform(position, value, readVolume);
  const subject = `Container argument ${position}`;
  return { kind: 'text', text: readArgumentText(subject, value) };
}

/** A scalar as one command-line argument. */
export function readArgumentText(subject: Subject, value: Pickled): string {
  const text = pythonStr(value);
  if (text === null)
    return rejectMessage(`${subject} is a list or an object, which cannot be a command-line argument.`);
  if (text.includes('\0'))
    return rejectMessage(`${subject} contains a NUL character, which cannot be a command-line argument.`);
  if (Buffer.byteLength(text) > maxArgumentBytes)
    return rejectMessage(`${subject} is longer than Linux allows (128 KiB).`);
  return text;
}

function readTransform(
  position: number,
  transform: PickledInstance,
  readVolume: ReadVolume,
): ContainerArgument {
  const name = transformName(transform);
  if (name === null) {
    return rejectMessage(
      `Container argument ${position} is of class ${quoted(transform.className)}, which is not supported.`,
    );
  }
  const subject = `Container argument ${position} (${name})`;
  // py/id numbers are unique in the body
  const identity = `body:${transform.id}`;
  const volume = () => readVolume(subject, attribute(transform, '_volume'));
  switch (name) {
    case 'GirderFileIdToVolume':
    case 'DirectGirderFileIdToVolume':
      return {
        kind: 'file',
        identity,
        access: readAccess(subject, transform),
        fileId: readId(subject, 'file', attribute(transform, '_file_id')),
        fileName: readOptionalText(subject, 'file name', attribute(transform, '_filename')),
        volume: volume(),
        directPath: readDirectPath(attribute(transform, '_direct_file_path')),
        directIfOpened: false,
      };
    case 'GirderFileId':
    case 'GirderFileIdAllowDirect':
      return readHostFile(subject, identity, transform);
    case 'TemporaryDirectory':
      return { kind: 'directory', identity };
    case 'CommaJoinedVolumes':
      return { kind: 'joined', parts: readParts(position, subject, transform, readVolume) };
    case 'GirderFolderIdToVolume':
      return {
        kind: 'folder',
        identity,
        access: readAccess(subject, transform),
        folderId: readId(subject, 'folder', attribute(transform, '_folder_id')),
        folderName: readOptionalText(subject, 'folder name', attribute(transform, '_folder_name')),
        volume: volume(),
      };
    case 'GirderItemIdToVolume':
      return {
        kind: 'item',
        identity,
        access: readAccess(subject, transform),
        itemId: readId(subject, 'item', attribute(transform, '_item_id')),
        volume: volume(),
        path: 'entry',
      };
    case 'GirderItemId':
      return {
        kind: 'item',
        identity,
        access: readAccess(subject, transform),
        itemId: readId(subject, 'item', attribute(transform, 'item_id')),
        volume: { kind: 'default' },
        path: 'directory',
      };
    case 'VolumePath':
      return {
        kind: 'volumePath',
        filename: readText(subject, 'file name', attribute(transform, 'filename')),
        volume: volume(),
      };
    case 'BindMountVolume':
    case 'TemporaryVolume':
    case '_DefaultTemporaryVolume':
      return { kind: 'volume', volume: readVolume(subject, transform) };
    case 'GirderApiUrl':
      return { kind: 'apiUrl', access: readAccess(subject, transform) };
    case 'GirderToken':
      return { kind: 'token', access: readAccess(subject, transform) };
    case 'Connect':
    case 'ProgressPipe':
      return { kind: 'stream', connector: readConnector(subject, transform, readVolume) };
    case 'NamedInputPipe':
    case 'NamedOutputPipe':
    case 'GirderFileIdToStream':
    case 'ChunkedTransferEncodingStream':
    case 'HostStdOut':
    case 'HostStdErr':
    case 'ContainerStdOut':
    case 'ContainerStdErr':
      return rejectMessage(`${subject} is one end of a stream without a Connect to the other end.`);
    case 'GirderUploadVolumePathToFolder':
    case 'GirderUploadVolumePathToItem':
    case 'GirderUploadVolumePathJobArtifact':
    case 'GirderUploadToFolder':
    case 'GirderUploadToItem':
    case 'GirderUploadJobArtifact':
    case 'GirderItemMetadata':
      return rejectMessage(`${subject} handles a result and cannot be an argument.`);
  }
}

/** slicer_cli_web (5.0.19 and later) joins the files, items or folders of a parameter with `multiple="true"`. */
function readParts(
  position: number,
  subject: Subject,
  transform: PickledInstance,
  readVolume: ReadVolume,
): Input[] {
  const items =
    sequenceItems(attribute(transform, '_volumes')) ?? rejectMessage(`${subject} has no list of inputs.`);
  return items.map((item) => {
    const part = isInstance(item) ? readTransform(position, item, readVolume) : null;
    if (part === null || part.kind === 'joined')
      return rejectMessage(`${subject} contains something that is not an input.`);
    return inputsOf(part)[0] ?? rejectMessage(`${subject} contains something that is not an input.`);
  });
}

/**
 * In girder_worker, these transforms give a path on the worker's host, which the container cannot see. Here the file is put
 * into the default volume under the same name, and the argument is its path in the container.
 */
function readHostFile(subject: Subject, identity: string, transform: PickledInstance): ContainerArgument {
  const fileId = readId(subject, 'file', attribute(transform, 'file_id'));
  const name = readOptionalText(subject, 'file name', attribute(transform, 'file_name')) ?? '';
  return {
    kind: 'file',
    identity,
    access: readAccess(subject, transform),
    fileId,
    fileName: `${fileId}${path.posix.extname(name)}`,
    volume: { kind: 'default' },
    directPath: readDirectPath(attribute(transform, 'local_file_path')),
    directIfOpened: true,
  };
}

/** An invalid path is treated like an unreadable one: the file is downloaded. */
function readDirectPath(value: Pickled): string | null {
  return typeof value === 'string' && isAbsolutePath(value) ? value : null;
}
