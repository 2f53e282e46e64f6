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

/** The task's parameter `stream_connectors`. */
export function readStreams(value: Pickled, readVolume: ReadVolume): StreamConnector[] {
  if (value === null) return [];
  const items = sequenceItems(value) ?? rejectMessage('The stream connectors of the task are not a list.');
  return items.map((item, index) => {
    const subject = `Stream connector ${index + 1}`;
    if (!isInstance(item)) return rejectMessage(`${subject} is not a stream connector.`);
    const name = transformName(item);
    if (name === 'Connect' || name === 'ProgressPipe') return readConnector(subject, item, readVolume);
    return rejectMessage(
      `${subject} is of class ${quoted(name ?? item.className)}, which is not a stream connector.`,
    );
  });
}

/**
 * Reads a `Connect` or `ProgressPipe`. Connections that a batch job cannot replace by a file are rejected, before anything is
 * submitted. A `Connect` from the container's stdout or stderr is supported, as girder_worker's `docker/tasks` intends
 * although its own check for named pipes rejects all of them.
 */
export function readConnector(
  subject: Subject,
  transform: PickledInstance,
  readVolume: ReadVolume,
): StreamConnector {
  const identity = `body:${transform.id}`;
  if (transformName(transform) === 'ProgressPipe') {
    const volume = readVolume(subject, attribute(transform, '_volume'));
    return { kind: 'progress', identity, pipe: { name: readPipeName(subject, transform), volume } };
  }
  const input = readEnd(subject, 'input', attribute(transform, '_input'));
  const output = readEnd(subject, 'output', attribute(transform, '_output'));
  if (output.name === 'NamedInputPipe') {
    if (input.name !== 'GirderFileIdToStream') {
      return rejectMessage(
        `${subject} feeds an input pipe from ${input.name}: a batch job can only read a file of Girder through a pipe.`,
      );
    }
    return {
      kind: 'input',
      identity,
      pipe: readPipe(subject, output.end, readVolume),
      access: readAccess(subject, input.end),
      fileId: readId(subject, 'file', attribute(input.end, 'file_id')),
    };
  }
  switch (input.name) {
    case 'NamedOutputPipe':
      return {
        kind: 'output',
        identity,
        pipe: readPipe(subject, input.end, readVolume),
        sink: readSink(subject, output),
      };
    case 'ContainerStdOut':
      return { kind: 'container', identity, stream: 'stdout', sink: readSink(subject, output) };
    case 'ContainerStdErr':
      return { kind: 'container', identity, stream: 'stderr', sink: readSink(subject, output) };
    default:
      return rejectMessage(
        `${subject} connects ${input.name} to ${output.name}: neither is a pipe or a container stream.`,
      );
  }
}

interface End {
  name: string;
  end: PickledInstance;
}

function readEnd(subject: Subject, what: string, value: Pickled): End {
  const name = isInstance(value) ? transformName(value) : null;
  if (!isInstance(value) || name === null) return rejectMessage(`${subject} has no known ${what}.`);
  return { name, end: value };
}

function readPipe(subject: Subject, pipe: PickledInstance, readVolume: ReadVolume): PipeRef {
  const volume = attribute(pipe, '_volume');
  return {
    name: readPipeName(subject, pipe),
    volume: volume === null ? readOwnPaths(subject, pipe) : readVolume(subject, volume),
  };
}

function readPipeName(subject: Subject, pipe: PickledInstance): string {
  const name = readText(subject, 'pipe name', attribute(pipe, 'name'));
  return name === '' ? rejectMessage(`${subject} has a pipe without a name.`) : name;
}

/** A pipe without a volume has its own host and container path. */
function readOwnPaths(subject: Subject, pipe: PickledInstance): VolumeRef {
  return {
    kind: 'bind',
    host: readAbsolutePath(subject, 'host path', attribute(pipe, '_host_path')),
    container: readAbsolutePath(subject, 'container path', attribute(pipe, '_container_path')),
    mode: 'rw',
  };
}

function readSink(subject: Subject, { name, end }: End): StreamSink {
  switch (name) {
    case 'HostStdOut':
    case 'HostStdErr':
      return { kind: 'girderLog' };
    case 'ChunkedTransferEncodingStream':
      return {
        kind: 'http',
        url: readUrl(subject, attribute(end, 'url')),
        headers: readHeaders(subject, attribute(end, 'headers')),
      };
    default:
      return rejectMessage(`${subject} sends a stream to ${name}, which cannot receive one.`);
  }
}

/** Unlike the API URL it may have a query, possibly with a secret, so errors do not quote it. */
function readUrl(subject: Subject, value: Pickled): string {
  const url = typeof value === 'string' && !/[\s\p{Cc}]/u.test(value) ? URL.parse(value) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return rejectMessage(`${subject} sends its stream to something that is not an http or https URL.`);
  }
  if (url.username !== '' || url.password !== '') {
    return rejectMessage(`${subject} has a user in the URL of its stream; use a header instead.`);
  }
  return url.href;
}

/** Headers that the HTTP client sets. */
const connectionHeaders = ['content-length', 'connection', 'keep-alive', 'upgrade', 'expect', 'host'];

function readHeaders(subject: Subject, value: Pickled): Record<string, string> {
  if (value === null) return {};
  if (!isDict(value)) return rejectMessage(`${subject} has headers that are not an object.`);
  const headers: [string, string][] = [];
  for (const [name, text] of value) {
    if (!/^[\w!#$%&'*+.^`|~-]{1,256}$/.test(name))
      return rejectMessage(`${subject} has a header with an invalid name.`);
    if (typeof text !== 'string' || !/^[\t\x20-\x7e\x80-\xff]{0,8192}$/.test(text)) {
      return rejectMessage(`${subject} has a header ${name} whose value cannot be sent.`);
    }
    if (connectionHeaders.includes(name.toLowerCase())) {
      return rejectMessage(`${subject} sets the header ${name}, which belongs to the connection.`);
    }
    // the request is always chunked
    if (name.toLowerCase() !== 'transfer-encoding') headers.push([name, text]);
  }
  return Object.fromEntries(headers);
}
