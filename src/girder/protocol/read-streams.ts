import type { VolumeRef } from './analysis.js';
import { transformName } from './classes.js';
import {
  attribute,
  isDict,
  isInstance,
  sequenceItems,
  type Pickled,
  type PickledInstance,
} from '../pickle/pickled.js';
import { readAbsolutePath, readAccess, readId, readText, type Subject } from './read-fields.js';
import type { ReadVolume } from './read-volumes.js';
import { quoted, rejectMessage } from './reject-message.js';
import type { PipeRef, StreamConnector, StreamSink } from './streams.js';

/** The task's parameter `stream_connectors`: a list of connections. */
export function readStreams(value: Pickled, readVolume: ReadVolume): StreamConnector[] {
  if (value === null) return [];
  const items = sequenceItems(value) ?? rejectMessage('The stream connectors of the task are not a list.');
  return items.map((item, index) => {
    const place = `Stream connector ${index + 1}`;
    if (!isInstance(item)) return rejectMessage(`${place} is no connection.`);
    const name = transformName(item);
    if (name === 'Connect' || name === 'ProgressPipe') return readConnector(place, item, readVolume);
    return rejectMessage(`${place} is of class ${quoted(name ?? item.className)}, which is no connection.`);
  });
}

/**
 * A `Connect` or `ProgressPipe`. What a batch job cannot do through a file is refused here, before anything is submitted.
 * A `Connect` from the container's own output is meant by girder_worker's `docker/tasks` too, although its own check for a
 * named pipe lets none through.
 */
export function readConnector(
  place: Subject,
  transform: PickledInstance,
  readVolume: ReadVolume,
): StreamConnector {
  const identity = `body:${transform.id}`;
  if (transformName(transform) === 'ProgressPipe') {
    const volume = readVolume(place, attribute(transform, '_volume'));
    return { kind: 'progress', identity, pipe: { name: readPipeName(place, transform), volume } };
  }
  const input = readEnd(place, 'input', attribute(transform, '_input'));
  const output = readEnd(place, 'output', attribute(transform, '_output'));
  if (output.name === 'NamedInputPipe') {
    if (input.name !== 'GirderFileIdToStream') {
      return rejectMessage(
        `${place} feeds an input pipe from ${input.name}: only a file of Girder can be there before the batch job begins.`,
      );
    }
    return {
      kind: 'input',
      identity,
      pipe: readPipe(place, output.end, readVolume),
      access: readAccess(place, input.end),
      fileId: readId(place, 'file', attribute(input.end, 'file_id')),
    };
  }
  switch (input.name) {
    case 'NamedOutputPipe':
      return {
        kind: 'output',
        identity,
        pipe: readPipe(place, input.end, readVolume),
        sink: readSink(place, output),
      };
    case 'ContainerStdOut':
      return { kind: 'container', identity, stream: 'stdout', sink: readSink(place, output) };
    case 'ContainerStdErr':
      return { kind: 'container', identity, stream: 'stderr', sink: readSink(place, output) };
    default:
      return rejectMessage(
        `${place} connects ${input.name} to ${output.name}: neither is a pipe or a stream of the container.`,
      );
  }
}

interface End {
  name: string;
  end: PickledInstance;
}

function readEnd(place: Subject, what: string, value: Pickled): End {
  const name = isInstance(value) ? transformName(value) : null;
  if (!isInstance(value) || name === null) return rejectMessage(`${place} has no known ${what}.`);
  return { name, end: value };
}

function readPipe(place: Subject, pipe: PickledInstance, readVolume: ReadVolume): PipeRef {
  const volume = attribute(pipe, '_volume');
  return {
    name: readPipeName(place, pipe),
    volume: volume === null ? readOwnPaths(place, pipe) : readVolume(place, volume),
  };
}

function readPipeName(place: Subject, pipe: PickledInstance): string {
  const name = readText(place, 'pipe name', attribute(pipe, 'name'));
  return name === '' ? rejectMessage(`${place} has a pipe without a name.`) : name;
}

/** A pipe without a volume names its two directories itself. */
function readOwnPaths(place: Subject, pipe: PickledInstance): VolumeRef {
  return {
    kind: 'bind',
    host: readAbsolutePath(place, 'host path', attribute(pipe, '_host_path')),
    container: readAbsolutePath(place, 'container path', attribute(pipe, '_container_path')),
    mode: 'rw',
  };
}

function readSink(place: Subject, { name, end }: End): StreamSink {
  switch (name) {
    case 'HostStdOut':
    case 'HostStdErr':
      return { kind: 'girderLog' };
    case 'ChunkedTransferEncodingStream':
      return {
        kind: 'http',
        url: readUrl(place, attribute(end, 'url')),
        headers: readHeaders(place, attribute(end, 'headers')),
      };
    default:
      return rejectMessage(`${place} sends a stream to ${name}, which takes none.`);
  }
}

/** Unlike Girder's own address it may have a query, which may be a secret: it is not quoted. */
function readUrl(place: Subject, value: Pickled): string {
  const url = typeof value === 'string' && !/[\s\p{Cc}]/u.test(value) ? URL.parse(value) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return rejectMessage(`${place} sends its stream to what is no http or https address.`);
  }
  if (url.username !== '' || url.password !== '') {
    return rejectMessage(`${place} has a user in the address of its stream; a header is the place for that.`);
  }
  return url.href;
}

/** Set by the one who sends, and not by the message. */
const connectionHeaders = ['content-length', 'connection', 'keep-alive', 'upgrade', 'expect', 'host'];

function readHeaders(place: Subject, value: Pickled): Record<string, string> {
  if (value === null) return {};
  if (!isDict(value)) return rejectMessage(`${place} has headers that are not an object.`);
  const headers: [string, string][] = [];
  for (const [name, text] of value) {
    if (!/^[\w!#$%&'*+.^`|~-]{1,256}$/.test(name))
      return rejectMessage(`${place} has a header with an invalid name.`);
    if (typeof text !== 'string' || !/^[\t\x20-\x7e\x80-\xff]{0,8192}$/.test(text)) {
      return rejectMessage(`${place} has a header ${name} whose value cannot be sent.`);
    }
    if (connectionHeaders.includes(name.toLowerCase())) {
      return rejectMessage(`${place} sets the header ${name}, which belongs to the connection.`);
    }
    // it is chunked whatever the message says
    if (name.toLowerCase() !== 'transfer-encoding') headers.push([name, text]);
  }
  return Object.fromEntries(headers);
}
