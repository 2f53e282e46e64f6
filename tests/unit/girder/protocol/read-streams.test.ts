import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import { readAnalysis } from '../../../../src/girder/protocol/read-analysis.js';
import { streamsOf } from '../../../../src/girder/protocol/streams.js';
import * as p from '../pickles.js';

const read = (kwargs: p.Json) => readAnalysis(p.taskOf({ kwargs }));
const pipe = (kind: 'Input' | 'Output', more: object = {}) =>
  p.transform(`Named${kind}Pipe`, {
    name: 'a.pipe',
    _volume: p.defaultVolume(),
    _host_path: null,
    _container_path: null,
    ...more,
  });
const connect = (_input: unknown, _output: unknown) => p.transform('Connect', { _input, _output });
const post = (url: unknown = 'https://sink.example/a?key=SECRET', headers: unknown = {}) =>
  p.transform('ChunkedTransferEncodingStream', { url, headers });
const girderFile = () => p.girder('GirderFileIdToStream', { gc: p.gc(), file_id: p.id });

describe('streams', () => {
  it('of the container go to the sink they are connected to', () => {
    const { streams } = read({
      stream_connectors: [
        connect(p.transform('ContainerStdOut'), post(undefined, { 'Transfer-Encoding': 'chunked', A: 'b' })),
        connect(p.transform('ContainerStdErr'), p.transform('HostStdErr')),
      ],
    });
    expect(streams).toMatchObject([
      { kind: 'container', stream: 'stdout', sink: { kind: 'http', headers: { A: 'b' } } },
      { kind: 'container', stream: 'stderr', sink: { kind: 'girderLog' } },
    ]);
    // the message cannot choose the transfer encoding
    expect(streams[0]).toHaveProperty('sink.headers', { A: 'b' });
  });

  it('that are the same object are one stream', () => {
    const analysis = read({
      container_args: [connect(girderFile(), pipe('Input'))],
      stream_connectors: [{ 'py/id': 2 }, connect(pipe('Output'), p.transform('HostStdOut'))],
    });
    expect(streamsOf(analysis).map(({ kind }) => kind)).toStrictEqual(['input', 'output']);
  });

  const refused: [string, unknown, RegExp][] = [
    [
      'feed a pipe from the container',
      connect(pipe('Output'), pipe('Input')),
      /can only read a file of Girder/,
    ],
    [
      'feed a pipe from stdout',
      connect(p.transform('ContainerStdOut'), pipe('Input')),
      /can only read a file of Girder/,
    ],
    ['have no pipe', connect(girderFile(), p.transform('HostStdOut')), /neither is a pipe/],
    ['have one end', connect(pipe('Output'), null), /no known output/],
    ['end in a source', connect(pipe('Output'), girderFile()), /cannot receive one/],
    ['go to a file', connect(pipe('Output'), post('file:///etc/passwd')), /not an http/],
    ['go to two lines', connect(pipe('Output'), post('http://a/\r\nSECRET')), /not an http/],
    ['name a user', connect(pipe('Output'), post('http://u:SECRET@a/')), /has a user/],
    ['split a header', connect(pipe('Output'), post(undefined, { A: 'SECRET\r\nB: c' })), /header A/],
    ['name a bad header', connect(pipe('Output'), post(undefined, { 'A:': 'b' })), /invalid name/],
    ['set the length', connect(pipe('Output'), post(undefined, { 'Content-Length': '1' })), /connection/],
    [
      'have a relative host path',
      connect(pipe('Output', { _volume: null, _host_path: 'a' }), post()),
      /absolute/,
    ],
    ['have no name', connect(pipe('Output', { name: '' }), post()), /without a name/],
  ];

  it.each(refused)('are rejected that %s', (_, connector, reason) => {
    for (const kwargs of [{ stream_connectors: [connector] }, { container_args: [connector] }]) {
      expect(() => read(kwargs)).toThrow(reason);
      expect(() => read(kwargs)).toThrow(DsaSlurmError);
      expect(() => read(kwargs)).not.toThrow(/SECRET/);
    }
  });
});
