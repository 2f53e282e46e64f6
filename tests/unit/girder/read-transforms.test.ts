import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { readAnalysis } from '../../../src/girder/protocol/read-analysis.js';
import { brief } from './brief.js';
import * as p from './pickles.js';

const read = (parts: p.TaskParts) => readAnalysis(p.taskOf(parts));
const readArgs = (...container_args: unknown[]) => read({ kwargs: { container_args } }).args;
const readHook = (hook: unknown, kwargs: p.Json = {}) => read({ hooks: [hook], kwargs }).hooks[0];
const direct = (path: unknown) =>
  readArgs(
    p.slicer('DirectGirderFileIdToVolume', {
      _file_id: p.id,
      _volume: p.defaultVolume(),
      _filename: null,
      _direct_file_path: path,
    }),
  )[0];

describe('container arguments', () => {
  it('become text as in Python', () => {
    const values = [true, false, null, 1, -2.5, 1e-5, 0.0001];
    const texts = ['True', 'False', 'None', '1', '-2.5', '1e-05', '0.0001'];
    expect(readArgs(...values).map(brief)).toStrictEqual(texts);
    const odd = '9007199254740993, 1e16, 1.0, -0.0, 1.5e300, NaN, -Infinity';
    const body = `[[], {"image": "i", "container_args": [${odd}]}, {}]`;
    const { args } = readAnalysis({ name: p.slicerTask, headers: {}, body });
    const asPython = ['9007199254740993', '1e+16', '1.0', '-0.0', '1.5e+300', 'nan', '-inf'];
    expect(args.map(brief)).toStrictEqual(asPython);
  });

  it('keep names unchanged and accept an ObjectId as an id', () => {
    const objectId = { 'py/object': 'bson.objectid.ObjectId', 'py/state': { 'py/b64': '+vr6+vr6+vr6AABj' } };
    expect(readArgs(p.file({ _file_id: objectId, _filename: '../../x\0' }))).toMatchObject([
      { fileId: p.id, fileName: '../../x\0', access: p.access, directPath: null },
    ]);
    expect(readArgs(p.volumePath('../x'))).toStrictEqual([
      { kind: 'volumePath', filename: '../x', volume: { kind: 'default' } },
    ]);
  });

  it('accept only an absolute direct path', () => {
    expect(direct('/assetstore/a')).toMatchObject({ directPath: '/assetstore/a', fileName: null });
    for (const path of ['a', '', null, 5, '/a\nb']) expect(direct(path)).toMatchObject({ directPath: null });
  });

  it('can be volumes', () => {
    const volumes = [p.defaultVolume(), p.temporaryVolume('/t'), p.bindVolume('rw,z')];
    expect(readArgs(...volumes)).toStrictEqual([
      { kind: 'volume', volume: { kind: 'default' } },
      {
        kind: 'volume',
        volume: { kind: 'temporary', identity: 'body:3', hostDir: '/t', hostDirMode: 0o777, mode: 'rw' },
      },
      { kind: 'volume', volume: { kind: 'bind', host: '/data', container: '/mnt/data', mode: 'rw' } },
    ]);
    expect(readArgs(p.temporaryVolume('/t', { _mode: 0o2750 }))).toMatchObject([
      { volume: { hostDirMode: 0o2750 } },
    ]);
    expect(readArgs(p.bindVolume('Z,ro'))).toMatchObject([{ volume: { mode: 'ro' } }]);
  });

  it.each(['girder_worker_utils.transforms', 'girder_worker.utils.transforms'])(
    'that are paths of this host lie in the default volume (%s)',
    (module) => {
      const of = (name: string, attributes: object) =>
        p.object(`${module}.${name}`, { gc: p.gc(), ...attributes });
      const allowDirect = { file_id: p.id, file_name: 'a b.svs', local_file_path: '/assetstore/a' };
      expect(
        readArgs(
          of('girder_io.GirderFileId', { file_id: p.id }),
          of('girder_io.GirderItemId', { item_id: p.id }),
          of('contrib.girder_io.GirderFileIdAllowDirect', allowDirect),
          of('common.TemporaryDirectory', {}),
        ),
      ).toMatchObject([
        { kind: 'file', fileId: p.id, fileName: p.id, directPath: null, volume: { kind: 'default' } },
        { kind: 'item', itemId: p.id, path: 'directory', volume: { kind: 'default' } },
        { kind: 'file', fileName: `${p.id}.svs`, directPath: '/assetstore/a', directIfOpened: true },
        { kind: 'directory' },
      ]);
    },
  );

  const refused: [string, unknown, RegExp][] = [
    ['NUL', 'a\0', /NUL/],
    ['more than Linux takes', 'x'.repeat(131_072), /longer than/],
    ['a list', ['a'], /list or an object/],
    ['an object', { a: 1 }, /list or an object/],
    ['an unknown class', p.object('os.system\u001b[2J'), /"os\.system\\u001b\[2J", which is not supported/],
    [
      'a file without id',
      p.file({ _file_id: null }),
      /argument 1 \(GirderFileIdToVolume\) has no valid file id/,
    ],
    ['an id with a path', p.file({ _file_id: '../../user/me/abcdefabcdef' }), /no valid file id/],
    ['a name that is not a string', p.file({ _filename: 5 }), /file name/],
    ['a missing volume', p.file({ _volume: null }), /has no volume/],
    ['a volume of another class', p.file({ _volume: p.volumePath('x') }), /not supported/],
    ['an invalid mode', p.temporaryVolume('/t', { _mode: 65_536 }), /invalid mode/],
    ['no Girder', p.file({ gc: null }), /not published by Girder/],
    ['another client', p.file({ gc: p.object('a.B') }), /not published by Girder/],
    ['a file URL', p.file({ gc: p.gc({ urlBase: 'file:///etc/passwd' }) }), /not an http/],
    ['a URL with a user', p.file({ gc: p.gc({ urlBase: 'http://a:b@c/api/v1/' }) }), /with a user/],
    ['a token of two lines', p.file({ gc: p.gc({ token: 'secret\r\nX: y' }) }), /no usable Girder token/],
    ['a progress pipe without a volume', p.girder('ProgressPipe', { name: 'x' }), /has no volume/],
    ['one end of a stream', p.girder('GirderFileIdToStream'), /one end of a stream/],
    ['an upload', p.uploadToFolder(), /cannot be an argument/],
  ];

  it.each(refused)('refuse %s', (_, argument, reason) => {
    expect(() => readArgs(argument)).toThrow(reason);
    expect(() => readArgs(argument)).toThrow(DsaSlurmError);
    expect(() => readArgs(argument)).not.toThrow(/secret|TTTT/);
  });
});

describe('output hooks', () => {
  it('on a temporary volume use that of the body if exactly one matches', () => {
    const hook = p.uploadToFolder({ _volumepath: p.volumePath('x', p.temporaryVolume('/t')) });
    const one = { volumes: [p.temporaryVolume('/t'), p.temporaryVolume()] };
    const two = { volumes: [p.temporaryVolume('/t'), p.temporaryVolume('/t')] };
    expect(readHook(hook, one)).toMatchObject({ volume: { identity: 'body:2' } });
    expect(readHook(hook, { container_args: [p.volumePath('x', p.temporaryVolume('/t'))] })).toMatchObject({
      volume: { identity: 'body:3' },
    });
    expect(readHook(hook, two)).toMatchObject({ volume: { kind: 'temporary', identity: 'hook0:4' } });
  });

  it('skip null hooks and read the options that are present', () => {
    expect(read({ hooks: [null] }).hooks).toStrictEqual([]);
    const hook = p.uploadToFolder({
      must_exist: undefined,
      upload_kwargs: { mimeType: 'text/csv', other: 1 },
    });
    expect(readHook(hook)).toMatchObject({ mustExist: true, upload: { mimeType: 'text/csv' } });
    expect(() => readHook(p.uploadToFolder({ upload_kwargs: { reference: 1 } }))).toThrow(/reference/);
    // Girder fills in the job document; without it the publisher's id is used
    const ids = { job_id: 'a'.repeat(24), job: { _id: 'b'.repeat(24) }, _volumepath: p.volumePath('x') };
    const artifact = p.girder('GirderUploadVolumePathJobArtifact', ids);
    expect(readHook(artifact)).toMatchObject({ jobId: 'b'.repeat(24) });
    expect(readHook({ ...artifact, job: null })).toMatchObject({ jobId: 'a'.repeat(24) });
    expect(() => readHook(p.uploadToFolder({ must_exist: 'no' }))).toThrow(/must_exist/);
    expect(() => readHook(p.uploadToFolder({ _volumepath: p.file() }))).toThrow(
      /does not name a path in a volume/,
    );
    expect(() => readHook(p.uploadToFolder({ folder_id: 'x/../y' }))).toThrow(/folder id/);
  });
});
