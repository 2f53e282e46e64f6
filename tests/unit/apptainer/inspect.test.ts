import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerEntry, containerHome } from '../../../src/apptainer/entry.js';
import { createApptainer } from '../../../src/apptainer/inspect.js';
import { parseLabels, parseOciConfig, parseSifList } from '../../../src/apptainer/sif.js';
import type { CommandResult, RunCommand } from '../../../src/base/command.js';

// `apptainer sif list`, Apptainer 1.x
const list = `------------------------------------------------------------------------------
ID   |GROUP   |LINK    |SIF POSITION (start-end)  |TYPE
------------------------------------------------------------------------------
1    |1       |NONE    |32176-32208               |Def.FILE
2    |1       |NONE    |32208-36744               |JSON.Generic
3    |1       |NONE    |36744-37212               |JSON.Generic
4    |1       |NONE    |40960-346984448           |FS (Squashfs/*System/amd64)
5    |NONE    |1   (G) |346984448-346986245       |Signature (SHA-256)
`;
const metadata = JSON.stringify({ data: { attributes: { labels: { a: 'b' } } }, type: 'container' });
const config = JSON.stringify({
  Env: ['A=1'],
  Entrypoint: ['python', '/cli.py'],
  Cmd: ['--help'],
  WorkingDir: '/opt/cli',
});

function exited(stdout: string, exitCode = 0): CommandResult {
  return { kind: 'exited', exitCode, stdout, stderr: exitCode === 0 ? '' : 'FATAL: no', ms: 1 };
}

/** A container runtime with one image. */
function runtime(answers: {
  labels: CommandResult;
  list?: CommandResult;
  dumps?: Record<string, string>;
  version?: string;
  /** Output of a container of the image. */
  look?: (args: readonly string[]) => CommandResult;
}) {
  const calls: string[][] = [];
  const run: RunCommand = async (file, args) => {
    calls.push([file, ...args]);
    if (args[0] === 'inspect') return answers.labels;
    if (args[1] === 'list') return answers.list ?? exited(list);
    if (args[1] === 'dump') return exited(answers.dumps?.[args[2] ?? ''] ?? '', 0);
    if (args[0] === 'exec') return answers.look?.(args) ?? exited('', 255);
    return exited(answers.version ?? 'apptainer version 1.3.4-1.el9\n');
  };
  return { apptainer: createApptainer({ run, command: 'apptainer' }), calls };
}

const noLabels = exited('{"data":{"attributes":{"labels":{}}},"type":"container"}');
const labeled = (labels: object) =>
  exited(JSON.stringify({ data: { attributes: { labels } }, type: 'container' }));

let dir: string;
let sif: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-sif-'));
  sif = join(dir, 'example_small_v1.sif');
  await writeFile(sif, 'sif');
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

describe('SIF parsers', () => {
  it('parse the lists of Apptainer and of Singularity, with its header', () => {
    expect(parseSifList(list).map(({ id, type, size }) => [id, type, size])).toEqual([
      [1, 'Def.FILE', 32],
      [2, 'JSON.Generic', 4536],
      [3, 'JSON.Generic', 468],
      [4, 'FS (Squashfs/*System/amd64)', 346_943_488],
      [5, 'Signature (SHA-256)', 1797],
    ]);
    const old = `Container id: e455d2ae\nCreated on:   2019-11-15 10:11:58\nDescriptor list:\n${list}`;
    expect(parseSifList(old)).toEqual(parseSifList(list));
    expect(parseSifList('')).toEqual([]);
  });

  it('parse an OCI config, at the top level and under config', () => {
    const expected = {
      workingDirectory: '/opt/cli',
      entrypoint: ['python', '/cli.py'],
      cmd: ['--help'],
      environment: { A: '1' },
      user: '',
    };
    expect(parseOciConfig(config)).toEqual(expected);
    expect(parseOciConfig(`{"architecture":"amd64","config":${config}}`)).toEqual(expected);
    const empty = { workingDirectory: '/', entrypoint: [], cmd: [], environment: {}, user: '' };
    expect(parseOciConfig('{"Env":[]}')).toEqual(empty);
    // `FROM scratch` without another instruction
    expect(parseOciConfig('{}')).toEqual(empty);
    const odd = ['PRICE=costs $5', 'TWO=a\nb', 'PAIR=a=b', 'EMPTY=', 'NONE'];
    expect(parseOciConfig(JSON.stringify({ Env: odd, User: 'app:app' }))).toMatchObject({
      environment: { PRICE: 'costs $5', TWO: 'a\nb', PAIR: 'a=b', EMPTY: '', NONE: '' },
      user: 'app:app',
    });
    for (const other of [metadata, '', 'null', '[]', '{"config":null}', 'torn {']) {
      expect(parseOciConfig(other), other).toBeNull();
    }
  });

  it('parse labels of old and new releases', () => {
    const labels = { entry_path: '/opt' };
    for (const shape of [{ data: { attributes: { labels } } }, { attributes: { labels } }, { labels }]) {
      expect(parseLabels(JSON.stringify(shape))).toEqual(labels);
    }
    expect(parseLabels('{"data":{"attributes":{"labels":{"a":1,"b":"c"}}}}')).toEqual({ b: 'c' });
    expect(parseLabels('{"data":{"attributes":{}}}')).toEqual({});
    expect(parseLabels('FATAL')).toBeNull();
  });
});

const noEntry = (args: readonly string[]) =>
  exited(args.at(-1) === '/label' ? 'inside\nno\nno\n' : 'inside\nyes\nno\n');

describe('probe', () => {
  const made = labeled({ entry_path: '/label' });
  const dumps = { '3': JSON.stringify({ ...(JSON.parse(config) as object), User: 'app:app' }) };

  it('starts one isolated container per state of the file', async () => {
    const { apptainer, calls } = runtime({
      labels: noLabels,
      dumps,
      look: () => exited('inside\nno\nno\n/srv/app\n'),
    });
    const facts = await apptainer.probe('x:v1', sif);
    expect(facts.inside).toEqual({ hasWorkingDirectory: false, home: '/srv/app' });
    expect(containerHome(facts, {})).toBe('/srv/app');
    expect(await apptainer.probe('x:v1', sif)).toBe(facts);
    const looks = calls.filter((call) => call[1] === 'exec');
    expect(looks).toHaveLength(1);
    expect(looks[0]).toEqual(
      expect.arrayContaining(['--contain', '--cleanenv', '--no-eval', 'app', '/opt/cli']),
    );
  });

  it.each([0, 255])(
    'starts one container for many runs that ask at once, if it exits with %d',
    async (code) => {
      const { apptainer, calls } = runtime({
        labels: noLabels,
        dumps,
        look: () => exited('inside\nyes\nno\n', code),
      });
      await Promise.all(Array.from({ length: 5 }, async () => apptainer.probe('x:v1', sif)));
      expect(calls.filter((call) => call[1] === 'exec')).toHaveLength(1);
    },
  );

  it('ignores a label entry_path whose directory has no entry point', async () => {
    const { apptainer } = runtime({ labels: made, dumps, look: noEntry });
    expect(await apptainer.probe('x:v1', sif)).toMatchObject({
      workingDirectory: '/opt/cli',
      entrypoint: ['python', '/cli.py'],
      entrypointFrom: 'oci',
      inside: { hasWorkingDirectory: true, home: null },
    });
    const there = runtime({ labels: made, dumps, look: () => exited('inside\nyes\nyes\n') });
    expect(await there.apptainer.probe('x:v1', sif)).toMatchObject({ entrypointFrom: 'label' });
  });

  it('falls back to the metadata if no container starts, and tries again', async () => {
    const { apptainer, calls } = runtime({ labels: made, dumps, look: () => exited('', 255) });
    expect(await apptainer.probe('x:v1', sif)).toMatchObject({ entrypointFrom: 'label', inside: null });
    await apptainer.probe('x:v1', sif);
    expect(calls.filter((call) => call[1] === 'exec')).toHaveLength(2);
    // output without the marker is ignored
    const noise = runtime({ labels: made, dumps, look: () => exited('INFO: advice\nno\nno\n') });
    expect(await noise.apptainer.probe('x:v1', sif)).toMatchObject({ inside: null });
  });

  it('refuses a release that cannot isolate containers', async () => {
    const old = runtime({ labels: noLabels, dumps, version: 'apptainer version 1.0.3\n' });
    await expect(old.apptainer.probe('x:v1', sif)).rejects.toMatchObject({
      code: 'image',
      message: expect.stringContaining('cannot isolate'),
      next: expect.stringContaining('1.1'),
    });
  });
});

describe('containerHome', () => {
  const oci = { workingDirectory: '/', entrypoint: [], cmd: [], environment: {}, user: '' };
  it.each([
    ['root by default', { oci, inside: null }, {}, '/root'],
    ['what ENV says', { oci: { ...oci, environment: { HOME: '/opt/home' } }, inside: null }, {}, '/opt/home'],
    ['what the task says', { oci, inside: null }, { HOME: '/task' }, '/task'],
    ['the usual home of a named user', { oci: { ...oci, user: 'app:app' }, inside: null }, {}, '/home/app'],
    ['/ for a number', { oci: { ...oci, user: '1234' }, inside: null }, {}, '/'],
    ['/ for a user without an entry', { oci, inside: { hasWorkingDirectory: true, home: null } }, {}, '/'],
    ['no directory of the host', { oci, inside: null }, { HOME: '/etc:/root' }, '/root'],
    ['the runtime’s own for an image from elsewhere', { oci: null, inside: null }, {}, null],
  ])('is %s', (_what, facts, environment, home) => {
    expect(containerHome(facts, environment)).toBe(home);
  });
});

describe('inspect', () => {
  it('prefers the label entry_path to the OCI config', async () => {
    const { apptainer } = runtime({
      labels: labeled({ entry_path: '/label', 'com.nvidia.volumes.needed': 'nvidia_driver' }),
      dumps: { '2': metadata, '3': config },
    });
    expect(await apptainer.inspect('example/small:v1', sif)).toMatchObject({
      workingDirectory: '/label',
      workingDirectoryFrom: 'label',
      entrypoint: ['./docker-entrypoint.sh'],
      entrypointFrom: 'label',
      needsGpu: true,
    });
  });

  it('finds the OCI config among the JSON objects', async () => {
    const { apptainer, calls } = runtime({ labels: noLabels, dumps: { '2': metadata, '3': config } });
    expect(await apptainer.inspect('example/small:v1', sif)).toEqual({
      labels: {},
      workingDirectory: '/opt/cli',
      workingDirectoryFrom: 'oci',
      entrypoint: ['python', '/cli.py'],
      entrypointFrom: 'oci',
      cmd: ['--help'],
      needsGpu: false,
      oci: parseOciConfig(config),
      inside: null,
    });
    expect(calls).toEqual(
      expect.arrayContaining([
        ['apptainer', 'inspect', '--json', '--labels', sif],
        ['apptainer', 'sif', 'list', sif],
        ['apptainer', 'sif', 'dump', '2', sif],
        ['apptainer', 'sif', 'dump', '3', sif],
      ]),
    );
  });

  it('dumps small JSON objects only', async () => {
    const huge = '2    |1       |NONE    |0-99999999               |JSON.Generic\n';
    const { apptainer, calls } = runtime({ labels: noLabels, list: exited(huge) });
    expect(await apptainer.inspect('x:v1', sif)).toMatchObject({ workingDirectory: null, entrypoint: null });
    expect(calls.some((call) => call[2] === 'dump')).toBe(false);
  });

  it('needs only labels or the OCI config', async () => {
    const without = runtime({ labels: exited('', 255), dumps: { '3': config } });
    expect(await without.apptainer.inspect('x:v1', sif)).toMatchObject({ workingDirectoryFrom: 'oci' });
    const neither = runtime({ labels: exited('', 255), list: exited('', 255) });
    await expect(neither.apptainer.inspect('x:v1', sif)).rejects.toMatchObject({
      code: 'image',
      message: expect.stringContaining('FATAL: no'),
    });
    const missing = runtime({ labels: { kind: 'missing', reason: 'ENOENT', ms: 1 }, list: exited('', 255) });
    await expect(missing.apptainer.inspect('x:v1', sif)).rejects.toMatchObject({
      next: expect.stringContaining('Install Apptainer'),
    });
  });

  it('reports a missing file and how to get it', async () => {
    const { apptainer, calls } = runtime({ labels: noLabels });
    const gone = join(dir, 'example_gone_v1.sif');
    await expect(apptainer.inspect('example/gone:v1', gone)).rejects.toMatchObject({
      code: 'image',
      message: expect.stringContaining(gone),
      next: expect.stringContaining('dsa-slurm images pull example/gone:v1'),
    });
    expect(calls).toEqual([]);
  });

  it('caches the result for one state of a file, but not failures', async () => {
    let labels: CommandResult = exited('', 1);
    let asked = 0;
    const run: RunCommand = async (_file, args) => {
      if (args[0] !== 'inspect') return exited('', 1);
      asked++;
      return labels;
    };
    const apptainer = createApptainer({ run, command: 'apptainer' });
    await expect(apptainer.inspect('x:v1', sif)).rejects.toThrow();
    labels = labeled({ entry_path: '/a' });
    await Promise.all([apptainer.inspect('x:v1', sif), apptainer.inspect('x:v1', sif)]);
    expect(asked).toBe(2);
    labels = labeled({ entry_path: '/b' });
    await utimes(sif, 1, 1);
    expect(await apptainer.inspect('x:v1', sif)).toMatchObject({ workingDirectory: '/b' });
    expect(asked).toBe(3);
  });

  it.each([
    ['apptainer version 1.3.4-1.el9\n', { name: 'apptainer', version: '1.3.4-1.el9' }],
    ['singularity-ce version 4.1.0\n', { name: 'singularity', version: '4.1.0' }],
    ['singularity version 3.8.7\n', { name: 'singularity', version: '3.8.7' }],
    ['something else', null],
  ])('reads the version %j', async (text, version) => {
    const apptainer = createApptainer({ run: async () => exited(text), command: 'apptainer' });
    expect(await apptainer.version()).toEqual(version);
  });
});

describe('containerEntry', () => {
  const facts = {
    labels: {},
    workingDirectory: '/opt/cli',
    workingDirectoryFrom: 'oci' as const,
    entrypoint: ['python', '/cli.py'],
    entrypointFrom: 'oci' as const,
    cmd: ['--help'],
    needsGpu: false,
    oci: null,
    inside: null,
  };
  const silent = {
    ...facts,
    workingDirectory: null,
    workingDirectoryFrom: null,
    entrypoint: null,
    entrypointFrom: null,
    cmd: [],
  };
  const request = {
    image: 'x:v1',
    facts,
    settings: { workingDirectory: null, entrypoint: null },
    entrypoint: null,
    args: ['Tiny', 'in'],
  };

  it('joins entry point and arguments', () => {
    expect(containerEntry(request)).toEqual({
      workingDirectory: '/opt/cli',
      command: ['python', '/cli.py', 'Tiny', 'in'],
    });
    expect(containerEntry({ ...request, entrypoint: ['sh'] }).command).toEqual(['sh', 'Tiny', 'in']);
    expect(containerEntry({ ...request, entrypoint: [] }).command).toEqual(['Tiny', 'in']);
  });

  it("uses the image's own arguments as Docker does", () => {
    expect(containerEntry({ ...request, args: [] }).command).toEqual(['python', '/cli.py', '--help']);
    expect(containerEntry({ ...request, args: [], entrypoint: ['sh'] }).command).toEqual(['sh']);
    expect(() => containerEntry({ ...request, args: [], entrypoint: [] })).toThrow(/gives no command/);
  });

  it('falls back to the settings, and reports what is missing', () => {
    const settings = { workingDirectory: '/app', entrypoint: ['./run'] };
    expect(containerEntry({ ...request, facts: silent, settings })).toEqual({
      workingDirectory: '/app',
      command: ['./run', 'Tiny', 'in'],
    });
    expect(() => containerEntry({ ...request, facts: silent })).toThrow(/working directory/);
    expect(() =>
      containerEntry({ ...request, facts: silent, settings: { ...settings, entrypoint: null } }),
    ).toThrow(/entry point/);
  });
});
