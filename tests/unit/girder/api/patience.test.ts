import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { clientFor, type GirderSetup } from '../../../../src/girder/api/client.js';
import {
  downloadFile,
  downloadFolder,
  getFile,
  type TransferContext,
} from '../../../../src/girder/transfer/download.js';
import { uploadOutputs } from '../../../../src/girder/transfer/upload-outputs.js';
import { GirderError } from '../../../../src/girder/api/girder-error.js';
import { uploadFileToFolder } from '../../../../src/girder/transfer/upload.js';
import { startFakeGirder, type Fault } from '../../../../src/sandbox/fake-girder/index.js';
import { createTestSetup, sendJson } from '../../../support/scripted-http.js';
import { setUp } from '../girder-bench.js';

const hour = 60 * 60_000;
const page = '<html><body>Back in a few minutes</body></html>';

const web = (status: number, body = page): Fault => ({
  kind: 'answer',
  status,
  contentType: 'text/html',
  body,
});
const moved = (location: string): Fault => ({
  kind: 'answer',
  status: 302,
  contentType: 'text/html',
  body: '',
  headers: { location },
});

/** Responses while Girder is down or broken. */
const illnesses: Record<string, Fault> = {
  'no connection': { kind: 'drop' },
  'a page of a proxy': web(200),
  '401 of a proxy': web(401),
  '403 of a proxy': web(403),
  '404 of a proxy': web(404),
  '502 of a proxy': web(502),
  'JSON of a gateway that is not Girder': web(404, '{"message":"no Route matched with those values"}'),
  nothing: web(200, ''),
  'no content': web(204, ''),
  'an empty list': web(200, '[]'),
  'a redirect to a login page': moved('/login'),
  'a redirect in a circle': moved('/api/v1/round'),
  'more headers than any answer has': {
    ...web(200),
    headers: { 'x-a': 'a'.repeat(15_000), 'x-b': 'b'.repeat(15_000) },
  } as Fault,
  "Girder's own fault": web(500, '{"type":"internal","message":"An unexpected error occurred."}'),
};

/** A fake Girder with one file, and a client that retries. */
async function bench(patience: Partial<NonNullable<GirderSetup['patience']>> = {}) {
  const dir = await mkdtemp(path.join(tmpdir(), 'dsa-slurm-patience-'));
  const girder = await startFakeGirder({ dir });
  const problems: (string | null)[] = [];
  const setup = {
    ...createTestSetup(),
    patience: {
      tokenExpiresAt: Infinity,
      nonGirderMs: 24 * hour,
      onProblem: (text: string | null) => void problems.push(text),
      ...patience,
    },
  };
  onTestFinished(async () => {
    await setup.connections.close();
    await girder.stop();
    await rm(dir, { recursive: true });
  });
  const stop = new AbortController();
  const context: TransferContext = {
    client: clientFor({ apiUrl: girder.apiUrl, token: girder.userToken }, setup),
    clock: setup.clock,
    signal: stop.signal,
  };
  /** The next calls fail in this way, and later ones succeed. */
  const fallIll = (fault: Fault, calls = 20): void => {
    let left = calls;
    girder.fail(() => (left-- > 0 ? fault : undefined));
  };
  const outputs = girder.addFolder(girder.rootFolderId, 'outputs');
  const found = async (): Promise<string[]> =>
    Promise.all(
      girder
        .items(outputs.id)
        .flatMap((item) => girder.files(item.id))
        .map(async (file) => `${file.name}: ${await readFile(file.path, 'utf8')}`),
    );
  return { dir, girder, setup, context, stop, fallIll, outputs, found, problems };
}

describe.each(Object.entries(illnesses))('while Girder answers with %s', (_what, fault) => {
  it('downloading an input is retried', async () => {
    const { dir, girder, context, fallIll, problems } = await bench();
    const text = 'an input that is longer than any page of a proxy is in this test'.repeat(4);
    const { id } = await girder.addFile(girder.rootFolderId, 'in', Buffer.from(text));
    fallIll(fault);
    const file = await getFile(context.client, id, context.signal);
    fallIll(fault);
    await downloadFile(context, file, path.join(dir, 'in'));
    expect(await readFile(path.join(dir, 'in'), 'utf8')).toBe(text);
    expect(problems.filter((each) => each === null)).toHaveLength(2);
    expect(problems.at(-1)).toBeNull();
  });

  it.each(['content', ''])('uploading an output “%s” is retried and creates one file', async (text) => {
    const { dir, context, fallIll, outputs, found, problems } = await bench();
    await writeFile(path.join(dir, 'out'), text);
    fallIll(fault);
    await uploadFileToFolder(context, path.join(dir, 'out'), outputs.id, {});
    expect(await found()).toEqual([`out: ${text}`]);
    expect(problems.at(-1)).toBeNull();
  });

  it('starting an upload is retried', async () => {
    const { dir, girder, context, outputs, found } = await bench();
    await writeFile(path.join(dir, 'out'), 'content');
    let left = 20;
    girder.fail((_method, asked) => (asked.startsWith('file/') && left-- > 0 ? fault : undefined));
    await uploadFileToFolder(context, path.join(dir, 'out'), outputs.id, {});
    expect(await found()).toEqual(['out: content']);
  });
});

it('repeatedly lost responses to POST do not create a second output', async () => {
  const { dir, girder, context, outputs, found } = await bench();
  await writeFile(path.join(dir, 'out'), '');
  let left = 1;
  girder.fail((method) => {
    if (method !== 'POST') return undefined;
    return left-- > 0 ? { kind: 'lost answer' } : web(502);
  });
  await uploadFileToFolder(context, path.join(dir, 'out'), outputs.id, {});
  expect(await found()).toEqual(['out: ']);
});

describe('final answers of Girder', () => {
  it.each([
    [400, { type: 'rest', message: 'Invalid file id (x).' }],
    [403, { type: 'access', message: 'Write access denied for folder x.' }],
    [401, { type: 'access', message: 'Invalid token scope.\nRequired: core.data.read.\nAllowed:' }],
  ])('is final at once: %i', async (status, body) => {
    const { context, fallIll, girder, problems } = await bench();
    fallIll(web(status, JSON.stringify(body)), Infinity);
    const asked = girder.requests().length;
    await expect(getFile(context.client, 'x', context.signal)).rejects.toMatchObject({ status });
    // after a 401, the client also asks about the token itself
    expect(
      girder
        .requests()
        .slice(asked)
        .filter(({ path: to }) => to.startsWith('file')),
    ).toHaveLength(1);
    expect(problems).toEqual([]);
  });
});

describe('retrying ends', () => {
  it('after the configured time, if something other than Girder answers', async () => {
    const { context, fallIll, setup, problems } = await bench({ nonGirderMs: 3 * hour });
    const began = setup.clock.monotonic();
    fallIll(web(200), Infinity);
    await expect(getFile(context.client, 'x', context.signal)).rejects.toThrow('a web page');
    const waited = setup.clock.monotonic() - began;
    expect(waited).toBeGreaterThanOrEqual(3 * hour);
    expect(waited).toBeLessThan(3.5 * hour);
    expect(problems.at(-1)).toBeNull();
  });

  it('soon after the token has expired, if Girder is unreachable', async () => {
    const { context, fallIll, setup, girder } = await bench({
      tokenExpiresAt: createTestSetup().clock.now() + 6 * hour,
    });
    const began = setup.clock.monotonic();
    fallIll({ kind: 'drop' }, Infinity);
    await expect(getFile(context.client, 'x', context.signal)).rejects.toThrow('could not be reached');
    const waited = setup.clock.monotonic() - began;
    expect(waited).toBeGreaterThanOrEqual(6 * hour);
    expect(waited).toBeLessThan(6.5 * hour);
    expect(girder.requests().length).toBeLessThan(1_000);
  });

  it('when the worker stops', async () => {
    const { context, girder, stop } = await bench();
    let calls = 0;
    girder.fail(() => {
      calls += 1;
      if (calls === 3) stop.abort();
      return { kind: 'drop' };
    });
    await expect(getFile(context.client, 'x', context.signal)).rejects.toBeInstanceOf(GirderError);
    expect(calls).toBe(3);
  });
});

it('the slot is released during pauses', async () => {
  const waits: string[] = [];
  const { girder, context, fallIll } = await bench({
    runWait: async (wait) => {
      waits.push('left');
      await wait();
      waits.push('back');
    },
  });
  const { id } = await girder.addFile(girder.rootFolderId, 'in', Buffer.from('x'));
  fallIll({ kind: 'drop' }, 2);
  await getFile(context.client, id, context.signal);
  expect(waits).toEqual(['left', 'back', 'left', 'back']);
});

it('an endless response is aborted with an error that says so', async () => {
  const { context, close } = await setUp((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const beat = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(beat));
  });
  onTestFinished(close);
  const question = { method: 'GET', path: 'job/1', attempts: 1, answerMs: 200 };
  await expect(context.client.json(z.unknown(), question)).rejects.toThrow(
    'could not be reached (no complete response within 0.2 s)',
  );
});

it('an endless error response is aborted, too', async () => {
  const { context } = await setUp((response) => {
    response.writeHead(404, { 'content-type': 'text/html' });
    response.write('<html>');
  });
  const question = { method: 'PUT', path: 'job/1', form: { status: '2' }, attempts: 1, answerMs: 200 };
  await expect(context.client.json(z.unknown(), question)).rejects.toThrow('no complete response');
});

it('the response to a chunk has a timeout, too', async () => {
  const { context } = await setUp((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{');
  });
  const { Readable } = await import('node:stream');
  const body = { length: 1, open: () => Readable.from(['x'], { objectMode: false }) };
  const question = { method: 'POST', path: 'file/chunk', body, attempts: 1, answerMs: 200 };
  await expect(context.client.json(z.unknown(), question)).rejects.toThrow('no complete response');
});

it('an abort is reported as an abort, not as a timeout', async () => {
  const stop = new AbortController();
  const { context } = await setUp((response, { path: asked }) => {
    if (asked.endsWith('/2')) return sendJson(response, {});
    response.writeHead(200);
    response.write(' ');
    stop.abort();
  });
  const question = { method: 'GET', path: 'job/1', signal: stop.signal };
  await expect(context.client.json(z.unknown(), question)).rejects.toMatchObject({ kind: 'aborted' });
});

it('a folder of many files takes two lines in the log, and so does a directory of outputs', async () => {
  const { dir, girder, context, outputs } = await bench();
  const folder = girder.addFolder(girder.rootFolderId, 'slides');
  for (let n = 0; n < 60; n += 1) await girder.addFile(folder.id, `slide ${n}`, Buffer.from('x'));
  const messages: string[] = [];
  const counted = { ...context, onProgress: (text: string) => void messages.push(text) };
  const made = await downloadFolder(counted, { id: folder.id, name: folder.name }, dir);
  expect(await readdir(made)).toHaveLength(60);
  expect(messages).toEqual([
    'Fetching the folder “slides”.',
    'Fetched the folder “slides”: 60 files (60 B).',
  ]);
  const hook = {
    kind: 'uploadToFolder',
    access: { apiUrl: girder.apiUrl, token: girder.userToken },
    folderId: outputs.id,
    filename: 'slides',
    volume: { kind: 'default' },
    mustExist: true,
    deleteFile: false,
    upload: {},
  } as const;
  const staged = { args: [], argsHoldToken: false, binds: [], ownDirectories: [] };
  await uploadOutputs(
    [hook],
    { ...staged, volumes: { default: { host: dir, container: '/data' } } },
    {
      ...createTestSetup(),
      signal: context.signal,
      done: new Set(),
      onDone: () => undefined,
      onProgress: (text) => void messages.push(text),
    },
  );
  expect(girder.items(outputs.id)).toHaveLength(60);
  expect(messages.slice(2)).toEqual([
    'Uploading the directory “slides”.',
    'Uploaded the directory “slides”: 60 files (60 B).',
  ]);
});
