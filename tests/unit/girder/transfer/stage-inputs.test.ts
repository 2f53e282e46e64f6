import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type {
  Analysis,
  ContainerArgument,
  StagedAnalysis,
  VolumeRef,
} from '../../../../src/girder/protocol/analysis.js';
import type { StreamConnector } from '../../../../src/girder/protocol/streams.js';
import {
  removeLeftovers,
  removeStaged,
  stageAnalysis,
} from '../../../../src/girder/transfer/stage-inputs.js';
import { runDirectoryName } from '../../../../src/girder/transfer/volume-disk.js';
import { withMountPrefix } from '../../../../src/girder/transfer/volumes.js';
import { sendJson, type Script } from '../../../support/scripted-http.js';
import { recordedExchanges, replay, setUp } from '../girder-bench.js';

const recorded = recordedExchanges('g3.transform_downloads_uploads.json');
const standard: VolumeRef = { kind: 'default' };

async function bench(script: Script = replay(recorded)) {
  const base = await setUp(script);
  const { access, directory, setup } = base;
  const tmpDir = path.join(directory, 'tmp dir');
  const options = {
    ...setup,
    tmpDir,
    runId: '00000000-0000-4000-8000-000000000001',
    mountPrefix: null as string | null,
    privateDirectories: [path.join(directory, 'state'), path.join(directory, 'logs')],
    directPaths: false,
    signal: new AbortController().signal,
  };
  const stage = async (args: ContainerArgument[], more: Partial<Analysis> = {}, others = {}) =>
    stageAnalysis({ ...nothing, args, ...more }, { ...options, ...others });
  const file = (fileId: string, more: object = {}): ContainerArgument => ({
    kind: 'file',
    identity: fileId,
    access,
    fileId,
    fileName: null,
    volume: standard,
    directPath: null,
    directIfOpened: false,
    ...more,
  });
  return { ...base, tmpDir, own: path.join(tmpDir, `dsa-slurm-${options.runId}`), stage, file, options };
}

const nothing: Analysis = {
  image: 'example/small:v1',
  entrypoint: null,
  args: [],
  volumes: [],
  streams: [],
  hooks: [],
  environment: {},
  gpu: false,
  ignoredOptions: [],
  title: null,
  ownerId: null,
};

/** The host path of a container path. */
function onHost(staged: StagedAnalysis, container: string | undefined): string {
  for (const bind of staged.binds) {
    if (container === bind.container) return bind.host;
    if (container?.startsWith(`${bind.container}/`) === true) {
      return path.join(bind.host, container.slice(bind.container.length));
    }
  }
  throw new Error(`${container} is bound nowhere`);
}

const tiny = 'fafafafafafafafafa000063';
const second = 'fafafafafafafafafa000064';

const pipe = (name: string, volume: VolumeRef = standard) => ({ name, volume });
const output = (name: string, volume?: VolumeRef): StreamConnector => ({
  kind: 'output',
  identity: name,
  pipe: pipe(name, volume),
  sink: { kind: 'girderLog' },
});

describe('pipes', () => {
  it('become files, with the content of the input or empty, and arguments with their path', async () => {
    const { stage, access } = await bench();
    const input: StreamConnector = { kind: 'input', identity: 'i', pipe: pipe('in/a'), access, fileId: tiny };
    const messages: StreamConnector = {
      kind: 'container',
      identity: 's',
      stream: 'stdout',
      sink: { kind: 'girderLog' },
    };
    const args = [input, messages, input].map((connector) => ({ kind: 'stream' as const, connector }));
    const staged = await stage(args, { streams: [output('é b')] });
    const { host, container } = staged.volumes['default'] ?? { host: '', container: '' };
    expect(staged.args).toEqual([`${container}/in/a`, '', `${container}/in/a`]);
    expect(staged.pipes).toEqual([path.join(host, 'in/a'), null, path.join(host, 'é b')]);
    expect(await readFile(path.join(host, 'in/a'), 'utf8')).toBe('hello slide 1\n');
    expect(await readFile(path.join(host, 'é b'), 'utf8')).toBe('');
  });

  it('in a bind mount overwrite nothing and are removed at the end', async () => {
    const base = await bench();
    const { stage } = base;
    const directory = path.join(base.directory, 'shared');
    await mkdir(directory);
    const shared: VolumeRef = { kind: 'bind', host: directory, container: '/mnt/p', mode: 'rw' };
    await writeFile(path.join(directory, 'theirs'), 'theirs');
    await expect(stage([], { streams: [output('ours', shared), output('theirs', shared)] })).rejects.toThrow(
      /theirs .*EEXIST/,
    );
    expect(await readdir(directory)).not.toContain('ours');
    const staged = await stage([], { streams: [output('ours', shared)] });
    expect(await readdir(directory)).toContain('ours');
    await removeStaged(staged);
    expect(await readdir(directory)).not.toContain('ours');
    expect(await readFile(path.join(directory, 'theirs'), 'utf8')).toBe('theirs');
  });

  it.each(['../a', '/etc/a', '.', 'a\0'])('named %j are rejected', async (name) => {
    const { stage } = await bench();
    await expect(stage([], { streams: [output(name)] })).rejects.toThrow(/pipe name/);
  });
});

/** A bench after the crash of a worker that had created a pipe and a volume in a shared directory. */
async function leaving() {
  const base = await bench();
  const shared = path.join(base.directory, 'shared');
  await mkdir(shared);
  const volume: VolumeRef = { kind: 'bind', host: shared, container: '/mnt/p', mode: 'rw' };
  const elsewhere: VolumeRef = { kind: 'temporary', identity: 'v', hostDir: shared, mode: 'rw' };
  const stage = async () => base.stage([], { volumes: [elsewhere], streams: [output('log', volume)] });
  await stage();
  expect(await readdir(shared)).toHaveLength(2);
  return { ...base, shared, stage };
}

describe('leftovers of a worker that crashed while staging', () => {
  it('do not disturb the next attempt, which removes them', async () => {
    const { shared, stage } = await leaving();
    const staged = await stage();
    expect(await readdir(shared)).toHaveLength(2);
    await removeStaged(staged);
    expect(await readdir(shared)).toEqual([]);
  });

  it('are removed without a next attempt', async () => {
    const { shared, tmpDir, options } = await leaving();
    await removeLeftovers(tmpDir, options.runId);
    expect([await readdir(shared), await readdir(tmpDir)]).toEqual([[], []]);
  });

  it('are kept if the file was replaced by another one', async () => {
    const { shared, tmpDir, options } = await leaving();
    await writeFile(path.join(shared, 'other'), 'of somebody else');
    await rename(path.join(shared, 'other'), path.join(shared, 'log'));
    await removeLeftovers(tmpDir, options.runId);
    expect(await readFile(path.join(shared, 'log'), 'utf8')).toBe('of somebody else');
  });
});

describe('transforms that give a path on the host of the Python worker', () => {
  it('become paths in the container', async () => {
    const { stage, file, access } = await bench();
    const item = {
      kind: 'item' as const,
      identity: 'i',
      access,
      itemId: 'fafafafafafafafafa000061',
      volume: standard,
      path: 'directory' as const,
    };
    const directory = { kind: 'directory' as const, identity: 'd' };
    const staged = await stage([item, directory, directory, file(tiny, { fileName: tiny })]);
    expect(await readdir(onHost(staged, staged.args[0]))).toEqual(['tiny image.txt']);
    expect(await readdir(onHost(staged, staged.args[1]))).toEqual([]);
    expect(staged.args[2]).toBe(staged.args[1]);
    expect(path.basename(staged.args[3] ?? '')).toBe(tiny);
  });

  it('use a file in place only if girder.directPaths allows it', async () => {
    const { stage, file, directory } = await bench();
    const stored = path.join(directory, 'stored');
    await writeFile(stored, 'stored');
    const argument = file(tiny, { directPath: stored, directIfOpened: true });
    const closed = await stage([argument]);
    expect(closed.args[0]).not.toContain('girder_direct_worker');
    await removeStaged(closed);
    const opened = await stage([argument], {}, { directPaths: true });
    expect(onHost(opened, opened.args[0])).toBe(stored);
  });
});

describe('inputs', () => {
  it('are downloaded, each into its own directory', async () => {
    const { stage, file, access, own, heard } = await bench();
    const staged = await stage([
      { kind: 'text', text: 'Tiny CLI' },
      file(tiny),
      file(second, { fileName: 'tiny image.txt' }),
      {
        kind: 'item',
        identity: 'i',
        access,
        itemId: 'fafafafafafafafafa000061',
        volume: standard,
        path: 'entry',
      },
      {
        kind: 'folder',
        identity: 'd',
        access,
        folderId: 'fafafafafafafafafa000062',
        folderName: null,
        volume: standard,
      },
    ]);
    const { container } = staged.volumes['default'] ?? { container: '' };
    expect(container).toMatch(/^\/mnt\/girder_worker\/[0-9a-f]{32}$/);
    expect(staged.args).toEqual([
      'Tiny CLI',
      `${container}/1-${tiny}/tiny image.txt`,
      `${container}/2-${second}/tiny image.txt`,
      `${container}/3-fafafafafafafafafa000061/tiny image.txt`,
      `${container}/4-fafafafafafafafafa000062/Input Images`,
    ]);
    const contents = [1, 2, 3].map(async (n) => readFile(onHost(staged, staged.args[n]), 'utf8'));
    expect(await Promise.all(contents)).toEqual(['hello slide 1\n', 'hello slide 2\n', 'hello slide 1\n']);
    expect((await readdir(onHost(staged, staged.args[4]))).sort()).toEqual(['second.txt', 'tiny image.txt']);
    expect(staged.binds).toEqual([{ host: path.join(own, 'default'), container, mode: 'rw' }]);
    expect(staged.ownDirectories).toEqual([own]);
    expect(staged.argsHoldToken).toBe(false);
    expect((await stat(own)).mode & 0o777).toBe(0o700);
    expect(heard.every(({ headers }) => headers['girder-token'] === 'T0KEN')).toBe(true);
  });

  it('that are the same object are fetched once', async () => {
    const { stage, file, heard } = await bench();
    const staged = await stage([file(tiny), file(tiny), file(tiny, { identity: 'other' })]);
    expect(staged.args[0]).toBe(staged.args[1]);
    expect(staged.args[2]).not.toBe(staged.args[0]);
    expect(heard.filter(({ path: asked }) => asked.endsWith('/download'))).toHaveLength(2);
  });

  it('with hostile ids and names stay in their directory', async () => {
    const { stage, file, own, heard } = await bench((response, { path: asked }) => {
      if (asked.endsWith('/download')) response.end('x');
      else sendJson(response, { _id: '../../1', name: '../../../evil', size: 1 });
    });
    const staged = await stage([file('../../user/me'), file('x', { fileName: '/etc/cron.d/evil' })]);
    for (const { path: asked } of heard) expect(asked).toMatch(/^\/api\/v1\/file\/[^/]+(\/download)?$/);
    for (const argument of staged.args) {
      const host = onHost(staged, argument);
      expect(path.dirname(path.dirname(host))).toBe(path.join(own, 'default'));
      expect(await readFile(host, 'utf8')).toBe('x');
    }
  });

  it('that fail leave nothing behind', async () => {
    const { stage, file, tmpDir } = await bench();
    await expect(stage([file(tiny), file('000000000000000000000000')])).rejects.toThrow(
      /Girder did not find GET file\/000000000000000000000000 \(400: Invalid file id/,
    );
    expect(await readdir(tmpDir)).toEqual([]);
  });

  it('are staged from scratch each time', async () => {
    const { stage, file, own } = await bench();
    const first = await stage([file(tiny)]);
    await writeFile(path.join(own, 'default', 'half an output'), '');
    const again = await stage([file(tiny)]);
    expect(await readdir(path.join(own, 'default'))).toEqual([`0-${tiny}`]);
    expect(again.args).not.toEqual(first.args);
  });
});

describe('direct mounts', () => {
  it('mount a readable file read-only at its own path and download nothing', async () => {
    const { stage, file, directory, heard } = await bench();
    const paths: string[] = [];
    for (const store of ['a', 'b']) {
      const stored = path.join(directory, store, 'slide one.svs');
      await mkdir(path.dirname(stored));
      await writeFile(stored, store);
      paths.push(stored);
    }
    const staged = await stage(
      paths.map((directPath) => file(directPath, { directPath, fileName: 'slide one.svs' })),
    );
    expect(staged.args).toEqual([
      '/mnt/girder_direct_worker/0/slide one.svs',
      '/mnt/girder_direct_worker/1/slide one.svs',
    ]);
    expect(staged.binds.slice(1)).toEqual(
      paths.map((host, n) => ({ host, container: staged.args[n], mode: 'ro' })),
    );
    expect(heard).toEqual([]);
  });

  it('mount several inputs of one argument and join their container paths', async () => {
    const { stage, file, directory } = await bench();
    const stored = path.join(directory, 'stored');
    await writeFile(stored, '');
    const part = (id: string, fileName: string) => {
      const made = file(id, { directPath: stored, fileName });
      return made.kind === 'file' ? made : expect.fail();
    };
    const joined = (...names: string[]): ContainerArgument => ({
      kind: 'joined',
      parts: names.map((name) => part(name, name)),
    });
    const staged = await stage([joined('1_a.svs', '2_a.svs')]);
    expect(staged.args).toEqual([
      '/mnt/girder_direct_worker/0.0/1_a.svs,/mnt/girder_direct_worker/0.1/2_a.svs',
    ]);
    expect(staged.binds.slice(1).map(({ container }) => container)).toEqual(staged.args[0]?.split(','));
    await expect(stage([joined('1_a.svs', 'a,b.svs')])).rejects.toThrow('“a,b.svs” has a comma in its name');
    const many = Array.from({ length: 4_000 }, (_, number) => `${number}_slide.svs`);
    await expect(stage([joined(...many)])).rejects.toThrow('4000 inputs in one parameter');
  });

  it('add the mount prefix for compute nodes only', async () => {
    const { stage, file, directory } = await bench();
    const stored = path.join(directory, 'assetstore', 'ab', 'slide');
    await mkdir(path.dirname(stored), { recursive: true });
    await writeFile(stored, '');
    const staged = await stage(
      [file('x', { directPath: stored, fileName: 's' })],
      {},
      { mountPrefix: '/cluster' },
    );
    expect(staged.binds[1]?.host).toBe(`/cluster${stored}`);
  });

  it('fall back to a download if the file is missing, not a file or unreadable', async () => {
    const { stage, file, directory } = await bench();
    const fifo = path.join(directory, 'fifo');
    await promisify(execFile)('mkfifo', [fifo]);
    const link = path.join(directory, 'zero');
    await symlink('/dev/zero', link);
    for (const directPath of [fifo, link, directory, path.join(directory, 'gone'), 'relative', '/dev/null']) {
      const staged = await stage([file(tiny, { directPath })]);
      expect(staged.args[0]).toMatch(/^\/mnt\/girder_worker\//);
    }
  });
});

describe('withMountPrefix', () => {
  it.each([
    ['/data/assetstore/ab/x', '/data/assetstore/ab', '/p/data/assetstore/ab/x'],
    ['/data/my_assetstore2/x', '/data/my_assetstore2', '/p/data/my_assetstore2/x'],
    ['/data/assetstore', '/data', '/data/assetstore'],
    ['/data/other/x', '/data/other', '/data/other/x'],
  ])('%s', (host, directory, result) => {
    expect(withMountPrefix(host, directory, '/p')).toBe(result);
    expect(withMountPrefix(host, directory, null)).toBe(host);
  });
});

describe('other arguments', () => {
  it('become text', async () => {
    const { stage, access, setup, origin } = await bench();
    void setup;
    const staged = await stage(
      [
        { kind: 'apiUrl', access },
        { kind: 'token', access },
        {
          kind: 'volume',
          volume: { kind: 'bind', host: '/data/shared', container: '/mnt/shared', mode: 'ro' },
        },
      ],
      {},
      { apiUrlMap: { [origin]: 'http://from-the-nodes:8080' } },
    );
    expect(staged.args).toEqual(['http://from-the-nodes:8080/api/v1/', 'T0KEN', '/mnt/shared']);
    expect(staged.argsHoldToken).toBe(true);
    expect(staged.binds[1]).toEqual({ host: '/data/shared', container: '/mnt/shared', mode: 'ro' });
  });

  it('can be output paths with spaces, whose parent directories are created', async () => {
    const { stage } = await bench();
    const staged = await stage([
      { kind: 'volumePath', filename: 'out dir/result file.txt', volume: standard },
      { kind: 'volumePath', filename: 'a/../b.txt', volume: standard },
    ]);
    const { host, container } = staged.volumes['default'] ?? { host: '', container: '' };
    expect(staged.args).toEqual([`${container}/out dir/result file.txt`, `${container}/b.txt`]);
    expect(await readdir(host)).toEqual(['out dir']);
  });

  it.each(['../../x', '/etc/passwd', 'a/../../b', 'x'.repeat(256)])(
    'are no output path like %s',
    async (filename) => {
      const { stage, access, tmpDir } = await bench();
      const refusal = /^The output name “.+” is outside the directory of the run\.$/;
      await expect(stage([{ kind: 'volumePath', filename, volume: standard }])).rejects.toThrow(refusal);
      const hook = {
        kind: 'uploadToItem',
        access,
        itemId: 'i',
        filename,
        volume: standard,
        deleteFile: false,
        upload: {},
      };
      await expect(stage([], { hooks: [hook as Analysis['hooks'][number]] })).rejects.toThrow(refusal);
      expect(await readdir(tmpDir)).toEqual([]);
    },
  );
});

const volumeIn = (hostDir: string, hostDirMode: number): VolumeRef => ({
  kind: 'temporary',
  identity: hostDir,
  hostDir,
  hostDirMode,
  mode: 'rw',
});
const modeOf = async (place: string) => ((await stat(place)).mode & 0o7777).toString(8);
const at = (host: string): VolumeRef => ({ kind: 'bind', host, container: '/mnt/x', mode: 'rw' });

describe('volumes', () => {
  it('have one directory each, and the default one always exists', async () => {
    const { stage, file, directory, own } = await bench();
    const hostDir = path.join(directory, 'scratch');
    const near: VolumeRef = { kind: 'temporary', identity: 'body:3', hostDir: null, mode: 'rw' };
    const far: VolumeRef = { kind: 'temporary', identity: 'body:9', hostDir, mode: 'rw' };
    const staged = await stage(
      [{ kind: 'volume', volume: near }, file(tiny, { volume: far }), file(second, { volume: far })],
      {
        volumes: [far],
      },
    );
    expect(Object.keys(staged.volumes).sort()).toEqual(['body:3', 'body:9', 'default']);
    expect(staged.args[0]).toBe(staged.volumes['body:3']?.container);
    expect(staged.binds).toHaveLength(3);
    expect(staged.volumes['body:9']?.host).toBe(path.join(hostDir, `${path.basename(own)}-2`));
    expect(staged.ownDirectories).toEqual([own, staged.volumes['body:9']?.host]);
    expect(await readFile(onHost(staged, staged.args[1]), 'utf8')).toBe('hello slide 1\n');

    await removeStaged(staged);
    expect(await readdir(hostDir)).toEqual([]);
  });

  it('set the mode of a host directory that they create, but not of an existing one', async () => {
    const { stage, directory } = await bench();
    const [fresh, there] = [path.join(directory, 'fresh'), path.join(directory, 'there')];
    await mkdir(there, { mode: 0o750 });
    await stage([], { volumes: [volumeIn(fresh, 0o2775), volumeIn(there, 0o777)] });
    expect([await modeOf(fresh), await modeOf(there)]).toEqual(['2775', '750']);
  });

  it('that are bind mounts get a separate directory for each input', async () => {
    const { stage, file, directory } = await bench();
    const host = path.join(directory, 'bound');
    await mkdir(host);
    await writeFile(path.join(host, 'theirs'), '');
    const volume: VolumeRef = { kind: 'bind', host, container: '/mnt/bound', mode: 'rw' };
    const staged = await stage([file(tiny, { volume }), { kind: 'volumePath', filename: 'a/b', volume }]);
    expect(staged.args[0]).toMatch(/^\/mnt\/bound\/dsa-slurm-[^/]+\/tiny image\.txt$/);
    expect(staged.args[1]).toBe('/mnt/bound/a/b');
    await removeStaged(staged);
    expect(await readdir(host)).toEqual(['theirs']);
  });

  it('and direct paths cannot expose files of the worker or of other runs', async () => {
    const { stage, file, directory, tmpDir, own } = await bench();
    const [state, other] = [path.join(directory, 'state'), path.join(tmpDir, 'dsa-slurm-other')];
    for (const each of [state, other]) await mkdir(each, { recursive: true });
    await writeFile(path.join(state, 'journal.jsonl'), 'secret');
    const link = path.join(directory, 'link');
    await symlink(state, link);
    const refusal = /cannot be given to a container/;
    const hosts = [
      '/',
      directory,
      state,
      `${state}/`,
      path.join(state, 'journal.jsonl'),
      path.join(state, 'new'),
      link,
      path.join(link, 'new'),
      path.join(directory, 'logs'),
      tmpDir,
      other,
      path.join(other, 'default'),
      own,
    ];
    for (const host of hosts) {
      await expect(stage([], { volumes: [at(host)] }), host).rejects.toThrow(refusal);
    }
    for (const hostDir of [path.join(state, 'x'), link, path.join(other, 'default')]) {
      await expect(stage([], { volumes: [volumeIn(hostDir, 0o755)] }), hostDir).rejects.toThrow(refusal);
    }
    const direct = file(tiny, { directPath: path.join(link, 'journal.jsonl') });
    await expect(stage([direct], {}, { directPaths: true })).rejects.toThrow(refusal);

    const beside = path.join(directory, 'state-of-others');
    expect((await stage([], { volumes: [at(beside)] })).binds).toHaveLength(2);
    expect((await stage([], { volumes: [volumeIn(directory, 0o755)] })).binds).toHaveLength(2);
    expect((await stage([], { volumes: [volumeIn(tmpDir, 0o755)] })).binds).toHaveLength(2);
  });

  it('cannot share a container path', async () => {
    const { stage } = await bench();
    await expect(stage([], { volumes: [at('/a'), at('/b')] })).rejects.toThrow(
      /Two different volumes .* \/mnt\/x/,
    );
    expect((await stage([], { volumes: [at('/a'), at('/a')] })).binds).toHaveLength(2);
  });

  it('of a run with an unusual id have a safe name', () => {
    expect(runDirectoryName('abc-1')).toBe('dsa-slurm-abc-1');
    for (const id of ['../x', '', 'a/b', 'x'.repeat(300)])
      expect(runDirectoryName(id)).toMatch(/^dsa-slurm-[0-9a-f]{32}$/);
  });

  it('cause a clear error if they cannot be created', async () => {
    const { stage, directory } = await bench();
    await writeFile(path.join(directory, 'file'), '');
    await expect(stage([], {}, { tmpDir: path.join(directory, 'file') })).rejects.toMatchObject({
      code: 'files',
    });
  });
});

describe('removeStaged', () => {
  it('removes only directories with our prefix', async () => {
    const { directory } = await bench();
    const ours = path.join(directory, 'dsa-slurm-1');
    const theirs = path.join(directory, 'precious');
    await mkdir(ours);
    await mkdir(theirs);
    await symlink(theirs, path.join(ours, 'link'));
    await mkdir(path.join(ours, 'locked', 'inner'), { recursive: true });
    await chmod(path.join(ours, 'locked'), 0);
    await removeStaged({
      ownDirectories: [ours, theirs, '/', '', 'dsa-slurm-relative', path.join(directory, 'dsa-slurm-gone')],
    });
    expect(await readdir(directory)).toEqual(['precious']);
  });
});
