import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OutputHook, StagedAnalysis } from '../../../../src/girder/protocol/analysis.js';
import {
  uploadArtifactsAfterFailure,
  uploadOutputs,
} from '../../../../src/girder/transfer/upload-outputs.js';
import { sendJson, type Script } from '../../../support/scripted-http.js';
import { recordedExchanges, recordedRequest, requestShape, setUp } from '../girder-bench.js';

const recorded = recordedExchanges('g3.transform_downloads_uploads.json');

/** Accepts everything; folder ids are `folder-<name>`. */
const generous: Script = (response, { path: asked, query }) => {
  if (asked.endsWith('/files')) sendJson(response, []);
  else if (asked.endsWith('/folder'))
    sendJson(response, { _id: `folder-${query.get('name')}`, name: query.get('name') });
  else sendJson(response, { _id: 'x' });
};

async function bench(script: Script = generous) {
  const base = await setUp(script);
  const host = path.join(base.directory, 'dsa-slurm-1', 'default');
  await mkdir(host, { recursive: true });
  const staged: StagedAnalysis = {
    args: [],
    argsHoldToken: false,
    binds: [],
    ownDirectories: [],
    volumes: { default: { host, container: '/mnt/girder_worker/0' } },
  };
  const done: string[] = [];
  const collect = async (hooks: OutputHook[], before: string[] = [], changed: Partial<StagedAnalysis> = {}) =>
    uploadOutputs(
      hooks,
      { ...staged, ...changed },
      {
        ...base.setup,
        signal: new AbortController().signal,
        done: new Set(before),
        onDone: (key) => void done.push(key),
        onProgress: (text) => base.messages.push(text),
      },
    );
  const toFolder = (filename: string, more: object = {}): OutputHook => ({
    kind: 'uploadToFolder',
    access: base.access,
    folderId: 'fafafafafafafafafa000065',
    filename,
    volume: { kind: 'default' },
    mustExist: true,
    deleteFile: false,
    upload: {},
    ...more,
  });
  const artifact = (filename: string): Extract<OutputHook, { kind: 'jobArtifact' }> => ({
    kind: 'jobArtifact',
    access: base.access,
    jobId: 'fafafafafafafafafa000075',
    name: null,
    filename,
    volume: { kind: 'default' },
    uploadOnException: false,
  });
  const put = async (name: string, text: string) => {
    await mkdir(path.dirname(path.join(host, name)), { recursive: true });
    await writeFile(path.join(host, name), text);
  };
  const names = () =>
    base.heard.filter(({ path: asked }) => asked.endsWith('/file')).map(({ query }) => query.get('name'));
  return { ...base, host, staged, done, collect, toFolder, artifact, put, names };
}

const optionsOf = (base: Awaited<ReturnType<typeof bench>>, before: string[] = []) => ({
  ...base.setup,
  signal: new AbortController().signal,
  done: new Set(before),
  onDone: (key: string) => void base.done.push(key),
  onProgress: (text: string) => base.messages.push(text),
});

describe('uploadArtifactsAfterFailure', () => {
  it('uploads only artifacts with upload_on_exception, each once', async () => {
    const base = await bench();
    const { artifact, toFolder, put, heard, done, staged } = base;
    for (const name of ['a', 'b', 'c']) await put(name, name);
    const kept = { uploadOnException: true };
    const hooks = [
      toFolder('a'),
      artifact('a'),
      { ...artifact('b'), ...kept },
      { ...artifact('c'), ...kept },
    ];
    await uploadArtifactsAfterFailure(hooks, staged, optionsOf(base, ['2']));
    expect(heard.map(({ query }) => query.get('name'))).toEqual(['c']);
    expect(done).toEqual(['3']);
  });

  it('logs what it cannot upload and continues', async () => {
    const base = await bench((response, { query }) => {
      if (query.get('name') === 'b')
        sendJson(response, { type: 'rest', message: 'No matching route for "POST x"' }, 400);
      else if (query.get('name') === 'c') sendJson(response, { type: 'access', message: 'no' }, 403);
      else sendJson(response, { _id: 'x' });
    });
    const { artifact, put, done, messages, staged } = base;
    for (const name of ['b', 'c', 'd']) await put(name, name);
    const hooks = ['../x', 'b', 'c', 'd', 'gone'].map((name) => ({
      ...artifact(name),
      uploadOnException: true,
    }));
    await uploadArtifactsAfterFailure(hooks, staged, optionsOf(base));
    expect(done).toEqual(['1', '3', '4']);
    expect(messages.join('\n')).toMatch(/“..\/x” was not uploaded: .*outside/);
    expect(messages.join('\n')).toMatch(/does not support job artifacts[^]*“c” was not uploaded/);
  });
});

describe('uploadOutputs', () => {
  it('uploads byte for byte, in order, with the reference unchanged', async () => {
    const { collect, toFolder, put, heard, done } = await bench();
    await put('out/x y.txt', 'output of out/x y.txt');
    await put('ü.csv', '1,2\n');
    await collect([toFolder('out/x y.txt', { upload: { reference: '{"a": 1}' } }), toFolder('ü.csv')]);
    expect(heard.map(({ body }) => body.toString())).toEqual(['', 'output of out/x y.txt', '', '1,2\n']);
    expect(recorded.map((exchange) => requestShape(recordedRequest(exchange)))).toContain(
      requestShape(heard[0] ?? expect.fail()),
    );
    expect(heard[2]?.query.get('name')).toBe('ü.csv');
    expect(done).toEqual(['0', '1']);
  });

  it('uploads under the name that the task asks for', async () => {
    const { collect, toFolder, put, heard } = await bench();
    await put('out.csv', '1');
    await collect([
      toFolder('out.csv', { upload: { filename: 'cells of slide 1.csv', mimeType: 'text/x' } }),
    ]);
    expect(heard[0]?.query.get('name')).toBe('cells of slide 1.csv');
    expect(heard[0]?.query.get('mimeType')).toBe('text/x');
  });

  it('uploads directories recursively, but does not follow links to directories or outside', async () => {
    const { collect, toFolder, put, host, heard, done, messages, directory } = await bench();
    await put('dir/a.txt', 'a');
    await put('dir/sub/b.txt', 'b');
    await writeFile(path.join(directory, 'secret'), 'secret');
    await symlink(path.join(directory, 'secret'), path.join(host, 'dir', 'stolen'));
    await symlink('/etc', path.join(host, 'dir', 'etc'));
    await symlink('sub', path.join(host, 'dir', 'again'));
    const upload = { reference: 'r', filename: 'not for all of them' };
    await collect([toFolder('dir', { upload })]);
    expect(
      heard.map(({ path: asked, query, body }) => [
        asked.slice(8),
        query.get('parentId')?.slice(-6) ?? '',
        query.get('name') ?? body.toString(),
      ]),
    ).toEqual([
      ['file', '000065', 'a.txt'],
      ['file/chunk', '', 'a'],
      ['folder', '000065', 'sub'],
      ['file', 'er-sub', 'b.txt'],
      ['file/chunk', '', 'b'],
    ]);
    expect(heard[3]?.query.get('reference')).toBe('r');
    expect(done).toEqual(['0/dir/a.txt', '0/dir/sub/b.txt', '0']);
    expect(messages.filter((text) => text.includes('not uploaded'))).toHaveLength(3);
  });

  it('uploads the files of a directory, without subdirectories, into an item', async () => {
    const { collect, put, host, heard, done, access } = await bench();
    await put('dir/a.txt', 'a');
    await put('dir/sub/b.txt', 'b');
    await mkdir(path.join(host, 'dir', 'empty'));
    const toItem: OutputHook = {
      kind: 'uploadToItem',
      access,
      itemId: 'i',
      filename: 'dir',
      volume: { kind: 'default' },
      deleteFile: false,
      upload: { reference: 'r' },
    };
    await collect([toItem]);
    const sent = heard.filter(({ method }) => method === 'POST');
    expect(sent.map(({ path: asked, query }) => `${asked.slice(8)} ${query.get('name')}`)).toEqual([
      'file a.txt',
      'file/chunk null',
    ]);
    expect(sent[0]?.query.get('parentType')).toBe('item');
    expect(sent[0]?.query.get('reference')).toBe('r');
    expect(done.at(-1)).toBe('0');
  });

  it('creates empty folders, as the Python worker does', async () => {
    const { collect, toFolder, host, heard } = await bench();
    await mkdir(path.join(host, 'dir', 'sub', 'deep'), { recursive: true });
    await collect([toFolder('dir')]);
    expect(heard.map(({ path: asked, query }) => `${asked.slice(8)} ${query.get('name')}`)).toEqual([
      'folder sub',
      'folder deep',
    ]);
  });

  it('skips what an earlier attempt has uploaded', async () => {
    const { collect, toFolder, put, names, done } = await bench();
    await put('a', 'a');
    await put('dir/b', 'b');
    await put('dir/c', 'c');
    await collect([toFolder('a'), toFolder('dir'), toFolder('gone')], ['0', '1/dir/b', '2']);
    expect(names()).toEqual(['c']);
    expect(done).toEqual(['1/dir/c', '1']);
  });

  it('fails for a missing output unless it is optional', async () => {
    const { collect, toFolder, access, heard, done } = await bench();
    await collect([toFolder('optional', { mustExist: false })]);
    expect(done).toEqual(['0']);
    await expect(collect([toFolder('result.csv')])).rejects.toThrow('The output “result.csv” is missing.');
    const toItem: OutputHook = {
      kind: 'uploadToItem',
      access,
      itemId: 'i',
      filename: 'result.csv',
      volume: { kind: 'default' },
      deleteFile: false,
      upload: {},
    };
    await expect(collect([toItem])).rejects.toThrow('The output “result.csv” is missing.');
    expect(heard).toEqual([]);
  });

  it.each(['../secret', '/etc/passwd', 'link', 'up/secret'])('does not upload %s', async (filename) => {
    const { collect, toFolder, host, heard } = await bench();
    await writeFile(path.join(host, '..', 'secret'), 'secret');
    await symlink('../secret', path.join(host, 'link'));
    await symlink('..', path.join(host, 'up'));
    await expect(collect([toFolder(filename)])).rejects.toThrow(/outside the directory of the run/);
    expect(heard).toEqual([]);
  });

  it('keeps the name of an output that is a link inside the volume', async () => {
    const { collect, toFolder, put, host, names } = await bench();
    await put('data.0001', 'x');
    await symlink('data.0001', path.join(host, 'latest.csv'));
    await collect([toFolder('latest.csv')]);
    expect(names()).toEqual(['latest.csv']);
  });

  it('deletes an output with delete_file, after journaling', async () => {
    const { collect, toFolder, put, host } = await bench();
    await put('a', 'a');
    await collect([toFolder('a', { deleteFile: true })]);
    expect(await readdir(host)).toEqual([]);
    await collect([toFolder('.', { deleteFile: true })]);
    expect(await readdir(path.dirname(host))).toEqual(['default']);
  });

  it('stops at the first failure', async () => {
    const { collect, toFolder, put, done } = await bench((response, { query }) =>
      query.get('name') === 'b'
        ? sendJson(response, { type: 'access', message: 'no' }, 403)
        : sendJson(response, { _id: 'x' }),
    );
    for (const name of ['a', 'b', 'c']) await put(name, name);
    await expect(collect(['a', 'b', 'c'].map((name) => toFolder(name)))).rejects.toMatchObject({
      kind: 'access',
    });
    expect(done).toEqual(['0']);
  });
});

describe('job artifacts', () => {
  it('are skipped with a message if Girder does not support them', async () => {
    const python = recorded.find(({ path: target }) => target.includes('/artifact')) ?? expect.fail();
    const { collect, artifact, put, heard, messages, done } = await bench((response) => {
      response.writeHead(python.status).end(python.response);
    });
    await put('log.txt', python.body);
    await collect([artifact('log.txt')]);
    expect(requestShape(heard[0] ?? expect.fail())).toBe(requestShape(recordedRequest(python)));
    expect(heard[0]?.body.toString()).toBe(python.body);
    expect(messages.at(-1)).toBe('“log.txt” was not uploaded: this Girder does not support job artifacts.');
    expect(done).toEqual(['0']);
  });

  it('have the requested name', async () => {
    const { collect, artifact, put, heard } = await bench();
    await put('log.txt', 'x');
    await collect([{ ...artifact('log.txt'), name: 'words of the analysis.txt' }, artifact('log.txt')]);
    expect(heard.map(({ query }) => query.get('name'))).toEqual(['words of the analysis.txt', 'log.txt']);
  });

  it('are optional, but other errors fail the run', async () => {
    const { collect, artifact, put } = await bench((response) =>
      sendJson(response, { type: 'access', message: 'no' }, 401),
    );
    await collect([artifact('log.txt')]);
    await put('log.txt', '');
    await expect(collect([artifact('log.txt')])).rejects.toMatchObject({ status: 401 });
  });
});

describe('a hook on a temporary volume', () => {
  const other = { kind: 'temporary', identity: 'hook0:4', hostDir: null, mode: 'rw' } as const;

  it('uses the only temporary volume of the task', async () => {
    const { collect, toFolder, staged, host, put, names } = await bench();
    await put('other/a', 'a');
    const volumes = { ...staged.volumes, 'body:7': { host: path.join(host, 'other'), container: '/x' } };
    await collect([toFolder('a', { volume: other })], [], { volumes });
    expect(names()).toEqual(['a']);
    await expect(
      collect([toFolder('a', { volume: other })], [], {
        volumes: { ...volumes, 'body:8': { host, container: '/y' } },
      }),
    ).rejects.toThrow(/does not match exactly one volume/);
    await expect(collect([toFolder('a', { volume: other })])).rejects.toThrow(
      /does not match exactly one volume/,
    );
  });

  it('uses a bind mount if it names one', async () => {
    const { collect, toFolder, host, put, names } = await bench();
    await put('bound/a', 'a');
    const volume = { kind: 'bind', host: path.join(host, 'bound'), container: '/b', mode: 'rw' } as const;
    await collect([toFolder('a', { volume })]);
    expect(names()).toEqual(['a']);
  });
});
