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

/** What Linux takes as one argument, in bytes (`MAX_ARG_STRLEN`, with its final NUL). */
export const maxArgumentBytes = 131_071;

/**
 * The task's parameter `container_args`: scalars as Python writes them, and transforms. A list or an object inside it is
 * refused: the Docker path would hand its Python spelling (`['a', {…}]`) to the program, which nobody means.
 */
export function readArguments(value: Pickled, readVolume: ReadVolume): ContainerArgument[] {
  if (value === null) return [];
  const items = sequenceItems(value) ?? rejectMessage('The container arguments of the task are not a list.');
  return items.map((item, index) => readArgument(index + 1, item, readVolume));
}

function readArgument(position: number, value: Pickled, readVolume: ReadVolume): ContainerArgument {
  if (isInstance(value)) return readTransform(position, value, readVolume);
  const place = `Container argument ${position}`;
  return { kind: 'text', text: readArgumentText(place, value) };
}

/** A scalar as one argument of a program. */
export function readArgumentText(place: Subject, value: Pickled): string {
  const text = pythonStr(value);
  if (text === null)
    return rejectMessage(`${place} is a list or an object, which has no form on a command line.`);
  if (text.includes('\0'))
    return rejectMessage(`${place} holds a NUL character, which no program can be given.`);
  if (Buffer.byteLength(text) > maxArgumentBytes)
    return rejectMessage(`${place} is longer than Linux allows.`);
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
      `Container argument ${position} is of class ${quoted(transform.className)}, which is not known here.`,
    );
  }
  const place = `Container argument ${position} (${name})`;
  // For the Girder objects only: a py/id number is unique in the body.
  const identity = `body:${transform.id}`;
  const volume = () => readVolume(place, attribute(transform, '_volume'));
  switch (name) {
    case 'GirderFileIdToVolume':
    case 'DirectGirderFileIdToVolume':
      return {
        kind: 'file',
        identity,
        access: readAccess(place, transform),
        fileId: readId(place, 'file', attribute(transform, '_file_id')),
        fileName: readOptionalText(place, 'file name', attribute(transform, '_filename')),
        volume: volume(),
        directPath: readDirectPath(attribute(transform, '_direct_file_path')),
        directIfOpened: false,
      };
    case 'GirderFileId':
    case 'GirderFileIdAllowDirect':
      return readHostFile(place, identity, transform);
    case 'TemporaryDirectory':
      return { kind: 'directory', identity };
    case 'CommaJoinedVolumes':
      return { kind: 'joined', parts: readParts(position, place, transform, readVolume) };
    case 'GirderFolderIdToVolume':
      return {
        kind: 'folder',
        identity,
        access: readAccess(place, transform),
        folderId: readId(place, 'folder', attribute(transform, '_folder_id')),
        folderName: readOptionalText(place, 'folder name', attribute(transform, '_folder_name')),
        volume: volume(),
      };
    case 'GirderItemIdToVolume':
      return {
        kind: 'item',
        identity,
        access: readAccess(place, transform),
        itemId: readId(place, 'item', attribute(transform, '_item_id')),
        volume: volume(),
        path: 'entry',
      };
    case 'GirderItemId':
      return {
        kind: 'item',
        identity,
        access: readAccess(place, transform),
        itemId: readId(place, 'item', attribute(transform, 'item_id')),
        volume: { kind: 'default' },
        path: 'directory',
      };
    case 'VolumePath':
      return {
        kind: 'volumePath',
        filename: readText(place, 'file name', attribute(transform, 'filename')),
        volume: volume(),
      };
    case 'BindMountVolume':
    case 'TemporaryVolume':
    case '_DefaultTemporaryVolume':
      return { kind: 'volume', volume: readVolume(place, transform) };
    case 'GirderApiUrl':
      return { kind: 'apiUrl', access: readAccess(place, transform) };
    case 'GirderToken':
      return { kind: 'token', access: readAccess(place, transform) };
    case 'Connect':
    case 'ProgressPipe':
      return { kind: 'stream', connector: readConnector(place, transform, readVolume) };
    case 'NamedInputPipe':
    case 'NamedOutputPipe':
    case 'GirderFileIdToStream':
    case 'ChunkedTransferEncodingStream':
    case 'HostStdOut':
    case 'HostStdErr':
    case 'ContainerStdOut':
    case 'ContainerStdErr':
      return rejectMessage(
        `${place} is one end of a stream without the connection (Connect) to its other end.`,
      );
    case 'GirderUploadVolumePathToFolder':
    case 'GirderUploadVolumePathToItem':
    case 'GirderUploadVolumePathJobArtifact':
    case 'GirderUploadToFolder':
    case 'GirderUploadToItem':
    case 'GirderUploadJobArtifact':
    case 'GirderItemMetadata':
      return rejectMessage(`${place} handles a result and cannot be an argument.`);
  }
}

/** slicer_cli_web (5.0.19 and newer) joins the files, items or folders of a parameter with `multiple="true"`. */
function readParts(
  position: number,
  place: Subject,
  transform: PickledInstance,
  readVolume: ReadVolume,
): Input[] {
  const items =
    sequenceItems(attribute(transform, '_volumes')) ?? rejectMessage(`${place} has no list of inputs.`);
  return items.map((item) => {
    const part = isInstance(item) ? readTransform(position, item, readVolume) : null;
    if (part === null || part.kind === 'joined')
      return rejectMessage(`${place} holds something that is no input.`);
    return inputsOf(part)[0] ?? rejectMessage(`${place} holds something that is no input.`);
  });
}

/**
 * The transforms of girder_worker's utils give a path on the worker's own host, which no container sees. Here the file
 * lies in the default volume, under the same name, and the argument is its path in the container.
 */
function readHostFile(place: Subject, identity: string, transform: PickledInstance): ContainerArgument {
  const fileId = readId(place, 'file', attribute(transform, 'file_id'));
  const name = readOptionalText(place, 'file name', attribute(transform, 'file_name')) ?? '';
  return {
    kind: 'file',
    identity,
    access: readAccess(place, transform),
    fileId,
    fileName: `${fileId}${path.posix.extname(name)}`,
    volume: { kind: 'default' },
    directPath: readDirectPath(attribute(transform, 'local_file_path')),
    directIfOpened: true,
  };
}

/** As with an unreadable path, a path that cannot be one means a download. */
function readDirectPath(value: Pickled): string | null {
  return typeof value === 'string' && isAbsolutePath(value) ? value : null;
}
