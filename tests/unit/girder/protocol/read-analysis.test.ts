import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import type { OutputHook } from '../../../../src/girder/protocol/analysis.js';
import { readAnalysis } from '../../../../src/girder/protocol/read-analysis.js';
import { runnableTasks } from '../../../../src/girder/protocol/task-names.js';
import { streamsOf } from '../../../../src/girder/protocol/streams.js';
import { brief } from '../brief.js';
import { fixtureTask } from '../fixtures.js';
import * as p from '../pickles.js';

const read = (parts: p.TaskParts) => readAnalysis(p.taskOf(parts));

describe('readAnalysis of captured messages', () => {
  it.each(['download', 'direct'])('reads several files in one argument (%s)', (how) => {
    const { args } = readAnalysis(fixtureTask(`g5.direct_docker_run.joined_${how}.json`));
    const [first, second] = ['fafafafafafafafafa', 'fafafafafafafafafa'].map((front, index) => {
      const joined = args.find(({ kind }) => kind === 'joined');
      const part = joined?.kind === 'joined' ? joined.parts[index] : undefined;
      if (part?.kind !== 'file') return expect.fail();
      expect(part.fileId.startsWith(front)).toBe(true);
      // slicer_cli_web prepends the id and removes the comma
      expect(part.fileName).toBe(`${part.fileId}_same_ comma.tiff`);
      expect(part.directPath?.startsWith('/assetstore/') ?? false).toBe(how === 'direct');
      return part;
    });
    // the second one refers to the Girder client of the first
    expect(second?.access).toEqual(first?.access);
  });

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
      'folder fafafafafafafafafa000009 Input Images',
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

  it('gives the same object the same identity', () => {
    const [once, twice] = readAnalysis(fixtureTask('g3.direct_docker_run.same_object_twice.json')).args;
    expect(once).toMatchObject({ kind: 'file', identity: 'body:2' });
    expect(twice).toStrictEqual(once);
    const [a, b] = readAnalysis(fixtureTask('g3.direct_docker_run.shared_default_volume.json')).args;
    expect([a, b]).toMatchObject([{ identity: 'body:2' }, { identity: 'body:11' }]);
  });

  it('formats numbers and text as Python does', () => {
    const { args } = readAnalysis(fixtureTask('g3.direct_docker_run.unicode_infinity.json'));
    expect(args.map(brief)).toStrictEqual(['unicode é中 "quoted" \\ back', 'inf']);
  });

  it.each(['g3.docker_run.streams.json', 'g5.docker_run.streams.json'])('reads the streams of %s', (name) => {
    const analysis = readAnalysis(fixtureTask(name));
    const [first] = analysis.args;
    expect(first).toMatchObject({
      kind: 'stream',
      connector: {
        kind: 'input',
        identity: 'body:2',
        fileId: expect.stringMatching(/^[0-9a-f]{24}$/) as string,
        pipe: { name: 'in.pipe', volume: { kind: 'default' } },
      },
    });
    expect(streamsOf(analysis).slice(1)).toMatchObject([
      {
        kind: 'output',
        pipe: { name: 'out.pipe' },
        sink: { kind: 'http', url: 'http://girder.example:8080/sink?x=1', headers: { Key: 'v' } },
      },
      {
        kind: 'output',
        pipe: { name: 'out2.pipe', volume: { kind: 'bind', host: '/tmp/p', container: '/mnt/p' } },
        sink: { kind: 'girderLog' },
      },
      { kind: 'progress', pipe: { name: '.girder_progress', volume: { kind: 'default' } } },
      { kind: 'progress', pipe: { name: 'prog2' } },
    ]);
    // the volume of the last one is the same object as in `volumes`
    const [last] = analysis.streams;
    expect(last?.kind === 'progress' && last.pipe.volume).toStrictEqual(analysis.volumes[0]);
  });

  it.each([
    ['g3.direct_docker_run.nested.json', /argument 5 is a list or an object/],
    ['g3.create_tiff.folder.json', /large_image_tasks\.tasks\.create_tiff.*does not name a container image/],
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
      expect(() => read({ name })).toThrow(/cannot be run by dsa-slurm/);
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

  it('splits Docker options into environment, GPU and ignored ones', () => {
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
    expect(read({ kwargs })).toMatchObject({ gpu: true, ignoredOptions: ['shm_size', '"evil\\nname"'] });
    // a variable without a value is not set
    expect(read({ kwargs }).environment).toEqual({ A: 'x', B: '1' });
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

  it('accepts any follow-up tasks except a chord', () => {
    const plain = {
      task: 'some.task',
      args: [],
      kwargs: {},
      options: {},
      subtask_type: null,
      immutable: false,
    };
    const group = { ...plain, task: 'celery.group', kwargs: { tasks: [plain] }, subtask_type: 'group' };
    const chain = (...tasks: unknown[]) => ({
      ...plain,
      task: 'celery.chain',
      kwargs: { tasks },
      subtask_type: 'chain',
    });
    const chord = { ...plain, task: 'celery.chord', subtask_type: 'chord' };
    for (const embed of [
      { callbacks: null, errbacks: null, chain: [], chord: null },
      { callbacks: [plain, group, chain(plain, group)], errbacks: [1], chain: [group, plain] },
    ]) {
      expect(read({ embed })).toMatchObject({ image: 'example/small:v1' });
    }
    for (const embed of [
      { chord: plain },
      { callbacks: [chord] },
      { errbacks: [{ ...plain, options: { chord: plain } }] },
      { chain: [plain, group] },
      { chain: [chord, plain] },
      { callbacks: [chain(group, plain)] },
      { callbacks: [chain(chain(group), plain)] },
      { callbacks: [{ ...group, kwargs: { tasks: [chord] } }] },
      { callbacks: [p.object('celery.canvas._chord', chord)] },
    ]) {
      expect(() => read({ embed })).toThrow(/chord/);
    }
  });

  const refused: [string, p.TaskParts, RegExp][] = [
    ['no image', { kwargs: { image: null } }, /container image/],
    ['an empty image', { kwargs: { image: '' } }, /container image of the task is invalid/],
    ['an image that is an option', { kwargs: { image: '--help' } }, /container image of the task is invalid/],
    ['an image of two lines', { kwargs: { image: 'a\nb' } }, /container image of the task is invalid/],
    ['a positional argument', { args: ['i:1'] }, /too many positional/],
    ['an argument twice', { name: p.dockerTask, args: ['i:1'], kwargs: { image: 'i:2' } }, /twice/],
    ['a quoted entry point', { kwargs: { entrypoint: 'sh -c "a b"' } }, /use a list instead/],
    ['an entry point of objects', { kwargs: { entrypoint: [{}] } }, /list or an object/],
    ['arguments that are a string', { kwargs: { container_args: 'x' } }, /not a list/],
    ['an environment of numbers', { kwargs: { environment: 1 } }, /neither a list nor an object/],
    ['an invalid variable', { kwargs: { environment: ['A B=c'] } }, /invalid name/],
    ['a variable with NUL', { kwargs: { environment: { A: '\0' } } }, /NUL/],
    ['a variable of objects', { kwargs: { environment: { A: {} } } }, /unsupported value/],
    ['volumes that are a string', { kwargs: { volumes: '/a:/b' } }, /neither a list nor an object/],
    ['a relative host path', { kwargs: { volumes: { 'named-volume': { bind: '/c' } } } }, /absolute/],
    ['a relative container path', { kwargs: { volumes: { '/h': { bind: 'c' } } } }, /absolute/],
    ['an invalid mode', { kwargs: { volumes: { '/h': { bind: '/c', mode: 'x' } } } }, /neither ro nor rw/],
    [
      'streams',
      { kwargs: { stream_connectors: [p.transform('HostStdOut')] } },
      /HostStdOut.*not a stream connector/,
    ],
    ['hooks that are not a list', { hooks: {} }, /not a list/],
    ['a hook that is not an object', { hooks: [1] }, /Output 1/],
    ['a hook of an unknown class', { hooks: [p.object('a.B')] }, /"a\.B", which is not supported/],
    ['a hook that is an input', { hooks: [p.file()] }, /is not an upload/],
    [
      'a hook on the returned value',
      { hooks: [p.object('girder_worker.utils.transforms.girder_io.GirderUploadToItem')] },
      /does not have/,
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

/** Most parts are valid, so that messages are read to the end. */
const rarely = (bad: fc.Arbitrary<unknown>, good: unknown) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: bad });

it('survives any change of a message', () => {
  const part = fc.oneof(
    fc.constantFrom<unknown>(p.gc(), p.defaultVolume(), p.volumePath('x'), { 'py/id': 2 }),
    fc.jsonValue({ maxDepth: 3 }),
  );
  const argument = fc.oneof(
    fc.string(),
    fc.constantFrom<unknown>(p.file(), p.volumePath('x'), p.temporaryVolume()),
    fc
      .tuple(fc.constantFrom('gc', '_file_id', '_volume', '_filename'), part)
      .map(([k, v]) => p.file({ [k]: v })),
    part,
  );
  const hook = fc.oneof(
    fc.constant(p.uploadToFolder()),
    fc
      .tuple(fc.constantFrom('folder_id', '_volumepath', 'upload_kwargs', 'job'), part)
      .map(([k, v]) => p.uploadToFolder({ [k]: v })),
  );
  const kwargs = fc.record({
    container_args: fc.array(argument, { maxLength: 2 }),
    volumes: rarely(fc.oneof(fc.array(part, { maxLength: 2 }), fc.dictionary(fc.string(), part)), null),
    environment: rarely(part, null),
    entrypoint: rarely(part, null),
  });
  let analyses = 0;
  fc.assert(
    fc.property(kwargs, fc.array(hook, { maxLength: 2 }), (kwargs, hooks) => {
      try {
        read({ kwargs, hooks });
        analyses += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(DsaSlurmError);
      }
    }),
    { numRuns: 1_500 },
  );
  expect(analyses).toBeGreaterThan(50);
});
