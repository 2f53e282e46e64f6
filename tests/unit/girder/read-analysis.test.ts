import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import type { ContainerArgument, OutputHook } from '../../../src/girder/analysis.js';
import { readAnalysis } from '../../../src/girder/read-analysis.js';
import { runnableTasks } from '../../../src/girder/task-names.js';
import { fixtureTask } from './fixtures.js';
import * as p from './pickles.js';

const read = (parts: p.TaskParts) => readAnalysis(p.taskOf(parts));
const readArgs = (...container_args: unknown[]) => read({ kwargs: { container_args } }).args;
const readHook = (hook: unknown, kwargs: p.Json = {}) => read({ hooks: [hook], kwargs }).hooks[0];

describe('readAnalysis of captured messages', () => {
  it('reads every kind of input and output that slicer_cli_web publishes', () => {
    const analysis = readAnalysis(fixtureTask('g3.direct_docker_run.example1_all.json'));
    expect(analysis).toMatchObject({
      image: `example/small@sha256:${'0'.repeat(64)}`,
      entrypoint: null,
      volumes: [],
      environment: {},
      gpu: false,
      ignoredOptions: ['ipc_mode'],
      title: 'Example 1 - Execution Model Tour on tiny image.txt',
      unsupportedCanvas: null,
    });
    expect(analysis.args.map(brief)).toStrictEqual([
      'Example1',
      '--api-url',
      'apiUrl http://girder.example:8080/api/v1',
      '--boolean1',
      'true',
      '--boolean2',
      'false',
      '--double',
      '1.5',
      '--directory1',
      'folder fafafafafafafafafa000009 null',
      '--enumeration',
      'Bill',
      '-f',
      '1.3, 2, -14',
      '--file1',
      'file fafafafafafafafafa00000a second.txt',
      '--girder-token',
      'token http://girder.example:8080/api/v1',
      '--integer',
      '7',
      '--image1',
      'file fafafafafafafafafa000004 tiny image.txt',
      '--image2',
      'path out2.tiff',
      '--item1',
      'item fafafafafafafafafa000005',
      '--region',
      '1, 2, 3, 4',
      '--string_vector',
      'a, b',
      '--string_with_options',
      'x',
      '--returnparameterfile',
      'path params.txt',
      'file fafafafafafafafafa000004 tiny image.txt',
      'path out.tiff',
    ]);
    expect(analysis.hooks).toMatchObject([
      { kind: 'uploadToFolder', filename: 'out2.tiff', mustExist: false, volume: { kind: 'default' } },
      { kind: 'uploadToFolder', filename: 'params.txt', mustExist: true, deleteFile: false },
      { kind: 'uploadToFolder', filename: 'out.tiff', folderId: 'fafafafafafafafafa000003' },
    ]);
    const [hook] = analysis.hooks as [Extract<OutputHook, { kind: 'uploadToFolder' }>];
    expect(JSON.parse(hook.upload.reference ?? '')).toMatchObject({ identifier: 'image2' });
  });

  it.each([
    'g3slurm.direct_singularity_run.tiny_direct.json',
    'g5apptainer.direct_singularity_run.tiny_direct.json',
    'g5.direct_docker_run.tiny_direct.json',
  ])('reads a direct mount from %s', (name) => {
    const { args } = readAnalysis(fixtureTask(name));
    expect(args.map((argument) => argument.kind)).toStrictEqual(['text', 'file', 'volumePath']);
    expect(args[1]).toMatchObject({
      fileName: 'tiny image.txt',
      directPath: expect.stringMatching(/^\/assetstore\//) as string,
      volume: { kind: 'default' },
    });
  });

  it('reads volumes, their identity and all three kinds of hooks', () => {
    const analysis = readAnalysis(fixtureTask('g3.docker_run.volumes.json'));
    const [first, second, bind] = analysis.volumes;
    expect(first).toMatchObject({ kind: 'temporary', hostDir: null, mode: 'rw' });
    expect(second).toMatchObject({ kind: 'temporary', hostDir: '/shared/tmproot' });
    expect(bind).toStrictEqual({ kind: 'bind', host: '/data/shared', container: '/mnt/shared', mode: 'ro' });
    expect(first).not.toStrictEqual(second);
    const [folder, item, file, renamed, path, ...texts] = analysis.args;
    expect([folder, file, path]).toMatchObject([{ volume: first }, { volume: first }, { volume: first }]);
    expect([item, renamed]).toMatchObject([{ volume: second }, { volume: { kind: 'default' } }]);
    expect(texts.map(brief)).toStrictEqual(['--flag', '3', '1.5', 'True', 'None']);
    expect(analysis.hooks).toMatchObject([
      { kind: 'uploadToItem', deleteFile: true, filename: 'out/x.txt', volume: first },
      {
        kind: 'jobArtifact',
        name: 'log',
        uploadOnException: true,
        jobId: expect.stringMatching(/^[0-9a-f]{24}$/) as string,
      },
      { kind: 'uploadToFolder', filename: 'd', upload: {} },
    ]);
  });

  it('gives one object one identity', () => {
    const [once, twice] = readAnalysis(fixtureTask('g3.direct_docker_run.same_object_twice.json')).args;
    expect(once).toMatchObject({ kind: 'file', identity: 'body:2' });
    expect(twice).toStrictEqual(once);
    const [a, b] = readAnalysis(fixtureTask('g3.direct_docker_run.shared_default_volume.json')).args;
    expect([a, b]).toMatchObject([{ identity: 'body:2' }, { identity: 'body:11' }]);
  });

  it('writes numbers and letters as Python does', () => {
    const { args } = readAnalysis(fixtureTask('g3.direct_docker_run.unicode_infinity.json'));
    expect(args.map(brief)).toStrictEqual(['unicode é中 "quoted" \\ back', 'inf']);
  });

  it.each([
    ['g3.docker_run.streams.json', /ProgressPipe.*named pipe, which cannot reach a batch job/],
    ['g3.direct_docker_run.nested.json', /argument 5 is a list or an object/],
    ['g5.ingest_from_docker.json', /slicer_cli_web\.image_job\.ingest_from_docker.*Docker/],
    ['g3.create_tiff.folder.json', /large_image_tasks\.tasks\.create_tiff.*names no container image/],
    ['g3.plain.session_kwargs.json', /cap_tasks\.tasks\.add.*only tasks that run a container/],
  ])('refuses %s with its reason', (name, reason) => {
    expect(() => readAnalysis(fixtureTask(name))).toThrow(reason);
  });
});

describe('readAnalysis of tasks', () => {
  it.each(runnableTasks)('reads %s', (name) => {
    expect(read({ name }).image).toBe('example/small:v1');
  });

  it.each(['girder_worker.run', 'girder.tasks.importDataTask', 'celery.chord_unlock', '', 'x\n'.repeat(500)])(
    'refuses %j',
    (name) => {
      expect(() => read({ name })).toThrow(/cannot be run on Slurm/);
    },
  );

  it('binds the positional arguments of docker_run', () => {
    const args = ['i:1', true, '/bin/sh -c', ['x'], { '/h': { bind: '/c', mode: 'rw' } }, true, []];
    expect(read({ name: p.dockerTask, args })).toMatchObject({
      image: 'i:1',
      entrypoint: ['/bin/sh', '-c'],
      args: [{ kind: 'text', text: 'x' }],
      volumes: [{ kind: 'bind', host: '/h', container: '/c', mode: 'rw' }],
      ignoredOptions: [],
    });
  });

  it('reads a plain JSON body', () => {
    const body = JSON.stringify([[], { image: 'i:1', container_args: ['x'] }, { chain: null }]);
    expect(readAnalysis({ name: p.slicerTask, headers: {}, body }).image).toBe('i:1');
  });

  it('sorts the options of docker', () => {
    const kwargs = {
      pull_image: true,
      remove_container: true,
      tty: true,
      runtime: 'nvidia',
      environment: { A: 'x', B: 1, C: null },
      shm_size: '1G',
      network: null,
      'evil\nname': 1,
    };
    expect(read({ kwargs })).toMatchObject({
      gpu: true,
      environment: { A: 'x', B: '1' },
      ignoredOptions: ['shm_size', '"evil\\nname"'],
    });
    expect(read({ kwargs: { device_requests: [{ count: -1 }], environment: ['A=b=c', 'D'] } })).toMatchObject(
      {
        gpu: true,
        environment: { A: 'b=c' },
        ignoredOptions: [],
      },
    );
    expect(read({ kwargs: { runtime: 'runc', device_requests: [] } })).toMatchObject({
      gpu: false,
      ignoredOptions: ['runtime', 'device_requests'],
    });
  });

  it('names further tasks that the publisher wanted', () => {
    expect(read({ embed: { callbacks: null, chain: [] } }).unsupportedCanvas).toBeNull();
    const embed = { callbacks: null, chain: [p.object('celery.canvas.Signature')], errbacks: [1] };
    expect(read({ embed }).unsupportedCanvas).toMatch(/\(errbacks, chain\)/);
  });

  const refused: [string, p.TaskParts, RegExp][] = [
    ['no image', { kwargs: { image: null } }, /container image/],
    ['an empty image', { kwargs: { image: '' } }, /no usable container image/],
    ['an image that is an option', { kwargs: { image: '--help' } }, /no usable container image/],
    ['an image of two lines', { kwargs: { image: 'a\nb' } }, /no usable container image/],
    ['a positional argument', { args: ['i:1'] }, /by position/],
    ['an argument twice', { name: p.dockerTask, args: ['i:1'], kwargs: { image: 'i:2' } }, /twice/],
    ['a quoted entry point', { kwargs: { entrypoint: 'sh -c "a b"' } }, /has to be a list/],
    ['an entry point of objects', { kwargs: { entrypoint: [{}] } }, /list or an object/],
    ['arguments that are a text', { kwargs: { container_args: 'x' } }, /not a list/],
    ['an environment of numbers', { kwargs: { environment: 1 } }, /neither a list nor an object/],
    ['an invalid variable', { kwargs: { environment: ['A B=c'] } }, /invalid name/],
    ['a variable with NUL', { kwargs: { environment: { A: '\0' } } }, /NUL/],
    ['a variable of objects', { kwargs: { environment: { A: {} } } }, /no text/],
    ['volumes that are a text', { kwargs: { volumes: '/a:/b' } }, /neither a list nor an object/],
    ['a relative host path', { kwargs: { volumes: { 'named-volume': { bind: '/c' } } } }, /absolute/],
    ['a relative container path', { kwargs: { volumes: { '/h': { bind: 'c' } } } }, /absolute/],
    [
      'a mode that is none',
      { kwargs: { volumes: { '/h': { bind: '/c', mode: 'x' } } } },
      /neither ro nor rw/,
    ],
    ['streams', { kwargs: { stream_connectors: [p.transform('HostStdOut')] } }, /HostStdOut.*named pipe/],
    ['hooks that are no list', { hooks: {} }, /not a list/],
    ['a hook that is none', { hooks: [1] }, /Output 1/],
    ['a hook of an unknown class', { hooks: [p.object('a.B')] }, /"a\.B", which is not known/],
    ['a hook that is an input', { hooks: [p.file()] }, /is no upload/],
    [
      'a hook on the returned value',
      { hooks: [p.object('girder_worker.utils.transforms.girder_io.GirderUploadToItem')] },
      /returns none/,
    ],
  ];

  it.each(refused)('refuses %s', (_, parts, reason) => {
    expect(() => read(parts)).toThrow(reason);
    expect(() => read(parts)).toThrow(DsaSlurmError);
  });

  it.each(['', '{', '[]', '[1,2,3]', '[[],{}]', '[[],{},{},{}]', '[[],[],{}]', '{"py/tuple":[{},{},{}]}'])(
    'refuses the body %j',
    (body) => {
      expect(() => readAnalysis({ name: p.slicerTask, headers: {}, body })).toThrow(DsaSlurmError);
    },
  );
});

describe('container arguments', () => {
  it('become text as in Python', () => {
    const values = [true, false, null, 1, -2.5, 1e-5, 0.0001, 1e16, 1e21, '', p.object('x')];
    const texts = ['True', 'False', 'None', '1', '-2.5', '1e-05', '0.0001'];
    expect(readArgs(...values.slice(0, 7)).map(brief)).toStrictEqual(texts);
    const body = '[[], {"image": "i", "container_args": [9007199254740993, 1e16, NaN, -Infinity]}, {}]';
    const { args } = readAnalysis({ name: p.slicerTask, headers: {}, body });
    expect(args.map(brief)).toStrictEqual(['9007199254740993', '1e+16', 'nan', '-inf']);
  });

  it('keep names raw, and take an ObjectId for an id', () => {
    const objectId = { 'py/object': 'bson.objectid.ObjectId', 'py/state': { 'py/b64': '+vr6+vr6+vr6AABj' } };
    expect(readArgs(p.file({ _file_id: objectId, _filename: '../../x\0' }))).toMatchObject([
      { fileId: p.id, fileName: '../../x\0', access: p.access, directPath: null },
    ]);
    expect(readArgs(p.volumePath('../x'))).toStrictEqual([
      { kind: 'volumePath', filename: '../x', volume: { kind: 'default' } },
    ]);
  });

  it('take only an absolute direct path', () => {
    const direct = (path: unknown) =>
      readArgs(
        p.slicer('DirectGirderFileIdToVolume', {
          _file_id: p.id,
          _volume: p.defaultVolume(),
          _filename: null,
          _direct_file_path: path,
        }),
      )[0];
    expect(direct('/assetstore/a')).toMatchObject({ directPath: '/assetstore/a', fileName: null });
    for (const path of ['a', '', null, 5, '/a\nb']) expect(direct(path)).toMatchObject({ directPath: null });
  });

  it('can be volumes', () => {
    const volumes = [p.defaultVolume(), p.temporaryVolume('/t'), p.bindVolume('rw,z')];
    expect(readArgs(...volumes)).toStrictEqual([
      { kind: 'volume', volume: { kind: 'default' } },
      { kind: 'volume', volume: { kind: 'temporary', identity: 'body:3', hostDir: '/t', mode: 'rw' } },
      { kind: 'volume', volume: { kind: 'bind', host: '/data', container: '/mnt/data', mode: 'rw' } },
    ]);
    expect(readArgs(p.bindVolume('Z,ro'))).toMatchObject([{ volume: { mode: 'ro' } }]);
  });

  const utils = ['girder_worker_utils.transforms', 'girder_worker.utils.transforms'];
  const refused: [string, unknown, RegExp][] = [
    ['NUL', 'a\0', /NUL/],
    ['more than Linux takes', 'x'.repeat(131_072), /longer than/],
    ['a list', ['a'], /list or an object/],
    ['an object', { a: 1 }, /list or an object/],
    ['an unknown class', p.object('os.system\u001b[2J'), /"os\.system\\u001b\[2J", which is not known/],
    [
      'a file without id',
      p.file({ _file_id: null }),
      /argument 1 \(GirderFileIdToVolume\) has no valid file id/,
    ],
    ['an id with a path', p.file({ _file_id: '../../user/me/abcdefabcdef' }), /no valid file id/],
    ['a name that is none', p.file({ _filename: 5 }), /file name/],
    ['a volume that is none', p.file({ _volume: null }), /names no volume/],
    ['a volume of another class', p.file({ _volume: p.volumePath('x') }), /not known here/],
    ['no Girder', p.file({ gc: null }), /published outside/],
    ['another client', p.file({ gc: p.object('a.B') }), /published outside/],
    ['a file URL', p.file({ gc: p.gc({ urlBase: 'file:///etc/passwd' }) }), /no http/],
    ['a URL with a user', p.file({ gc: p.gc({ urlBase: 'http://a:b@c/api/v1/' }) }), /more than an address/],
    ['a token of two lines', p.file({ gc: p.gc({ token: 'secret\r\nX: y' }) }), /no usable Girder token/],
    ['a pipe', p.girder('ProgressPipe', { name: 'x' }), /named pipe, which cannot reach a batch job/],
    ['a stream', p.girder('GirderFileIdToStream'), /streams data/],
    ['an upload', p.uploadToFolder(), /cannot be an argument/],
    ...utils.map((module): [string, unknown, RegExp] => [
      `a path of this host (${module})`,
      p.object(`${module}.contrib.girder_io.GirderFileIdAllowDirect`),
      /GirderFileIdAllowDirect\) gives a path outside of the container/,
    ]),
  ];

  it.each(refused)('refuse %s', (_, argument, reason) => {
    expect(() => readArgs(argument)).toThrow(reason);
    expect(() => readArgs(argument)).toThrow(DsaSlurmError);
    expect(() => readArgs(argument)).not.toThrow(/secret|TTTT/);
  });
});

describe('output hooks', () => {
  it('on a temporary volume find it in the body if only one fits', () => {
    const hook = p.uploadToFolder({ _volumepath: p.volumePath('x', p.temporaryVolume('/t')) });
    const one = { volumes: [p.temporaryVolume('/t'), p.temporaryVolume()] };
    const two = { volumes: [p.temporaryVolume('/t'), p.temporaryVolume('/t')] };
    expect(readHook(hook, one)).toMatchObject({ volume: { identity: 'body:2' } });
    expect(readHook(hook, { container_args: [p.volumePath('x', p.temporaryVolume('/t'))] })).toMatchObject({
      volume: { identity: 'body:3' },
    });
    expect(readHook(hook, two)).toMatchObject({ volume: { kind: 'temporary', identity: 'hook0:4' } });
  });

  it('skip what is no hook, and take options that are there', () => {
    expect(read({ hooks: [null] }).hooks).toStrictEqual([]);
    const hook = p.uploadToFolder({
      must_exist: undefined,
      upload_kwargs: { mimeType: 'text/csv', other: 1 },
    });
    expect(readHook(hook)).toMatchObject({ mustExist: true, upload: { mimeType: 'text/csv' } });
    expect(() => readHook(p.uploadToFolder({ upload_kwargs: { reference: 1 } }))).toThrow(/reference/);
    expect(() => readHook(p.uploadToFolder({ must_exist: 'no' }))).toThrow(/must_exist/);
    expect(() => readHook(p.uploadToFolder({ _volumepath: p.file() }))).toThrow(/no path in a volume/);
    expect(() => readHook(p.uploadToFolder({ folder_id: 'x/../y' }))).toThrow(/folder id/);
  });
});

it('survives any change of a message', () => {
  const part = fc.oneof(
    fc.constantFrom<unknown>(p.file(), p.volumePath('x'), p.bindVolume(), p.uploadToFolder(), p.gc(), {
      'py/id': 2,
    }),
    fc.jsonValue({ maxDepth: 3 }),
  );
  let analyses = 0;
  fc.assert(
    fc.property(
      fc.record({
        container_args: fc.array(
          fc.oneof(
            part,
            fc.record({ _volume: part }).map((change) => p.file(change)),
          ),
        ),
        volumes: fc.oneof(fc.constant(null), fc.array(part), fc.dictionary(fc.string(), part)),
        environment: fc.oneof(fc.constant(null), part),
        entrypoint: fc.oneof(fc.constant(null), part),
      }),
      fc.array(fc.oneof(part, fc.record({ _volumepath: part, job: part }).map(p.uploadToFolder))),
      (kwargs, hooks) => {
        try {
          read({ kwargs, hooks });
          analyses += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(DsaSlurmError);
        }
      },
    ),
    { numRuns: 1_500 },
  );
  expect(analyses).toBeGreaterThan(5);
});

function brief(argument: ContainerArgument): string {
  switch (argument.kind) {
    case 'text':
      return argument.text;
    case 'file':
      return `file ${argument.fileId} ${argument.fileName}`;
    case 'folder':
      return `folder ${argument.folderId} ${argument.folderName}`;
    case 'item':
      return `item ${argument.itemId}`;
    case 'volumePath':
      return `path ${argument.filename}`;
    case 'volume':
      return 'volume';
    case 'apiUrl':
    case 'token':
      return `${argument.kind} ${argument.access.apiUrl}`;
  }
}
