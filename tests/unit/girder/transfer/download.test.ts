import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../../src/base/clock.js';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import {
  downloadFile,
  downloadFolder,
  downloadItem,
  getFile,
  withDiskErrors,
} from '../../../../src/girder/transfer/download.js';
import { sendJson, startScriptedServer, type Heard, type Script } from '../../../support/scripted-http.js';
import {
  memoryGrowth,
  recordedExchanges,
  recordedRequest,
  replay,
  requestShape,
  setUp,
} from '../girder-bench.js';

const content = Buffer.from('0123456789'.repeat(400_000));
const file = { id: 'f1', name: 'slide.svs', size: content.length };

/** Sends part of the content and then breaks the connection. */
function breakAfter(response: ServerResponse, heard: Heard, bytes: number): void {
  const start = startOf(heard);
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': content.length - start,
    ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  response.write(content.subarray(start, start + bytes), () => response.socket?.end());
}

const startOf = (heard: Heard): number => Number(/^bytes=(\d+)-$/.exec(heard.headers.range ?? '')?.[1] ?? 0);

/** The context of the current bench. */
let clock: Clock;

async function fetchContent(script: Script) {
  const bench = await setUp(script);
  ({ clock } = bench.context);
  const target = path.join(bench.directory, 'slide.svs');
  return { ...bench, target, done: downloadFile(bench.context, file, target) };
}

describe('a file', () => {
  it('is complete, readable, and leaves no temporary file', async () => {
    const { done, target, directory, messages } = await fetchContent((response) => response.end(content));
    await done;
    expect(content.equals(await readFile(target))).toBe(true);
    expect((await stat(target)).mode & 0o777).toBe(0o644);
    expect(await readdir(directory)).toEqual(['slide.svs']);
    expect(messages).toEqual(['Fetching “slide.svs” (4.0 MB).']);
  });

  it('resumes after a broken connection as long as there is progress', async () => {
    const { done, target, heard } = await fetchContent((response, asked) =>
      breakAfter(response, asked, 500_000),
    );
    await done;
    expect(content.equals(await readFile(target))).toBe(true);
    // data in transit is lost when a connection breaks, so the offsets vary
    const starts = heard.map(startOf);
    expect(starts[0]).toBe(0);
    expect(starts.length).toBeGreaterThanOrEqual(8);
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
  });

  it('that only trickles counts as broken and fails after a few attempts', async () => {
    let sent = 0;
    const { done, directory, heard } = await fetchContent(async (response, asked) => {
      const start = startOf(asked);
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': content.length - start,
        ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
      });
      // enough to reach the end of the file if there were no limit
      for (let at = start; !response.destroyed && at < content.length; at += 1_000) {
        await clock.sleep(60_000);
        await new Promise((resolve) => response.write(content.subarray(at, at + 1_000), resolve));
        sent += 1_000;
      }
    });
    await expect(done).rejects.toThrow(/could not be reached \(only \d+ bytes of “slide\.svs” in 5 min\)/);
    expect(heard).toHaveLength(6);
    // without a limit it would be all of it; what is sent to a closed connection before the server notices counts, too
    expect(sent).toBeLessThan(content.length / 2);
    expect(await readdir(directory)).toEqual([]);
  });

  it('that trickles at the very end is completed', async () => {
    const { done, target } = await fetchContent(async (response) => {
      response.writeHead(200, { 'content-length': content.length });
      await new Promise((resolve) => response.write(content.subarray(0, -10), resolve));
      await clock.sleep(3_600_000);
      response.end(content.subarray(-10));
    });
    await done;
    expect(content.equals(await readFile(target))).toBe(true);
  });

  it('starts over if the server does not support ranges', async () => {
    let turn = 0;
    const { done, target } = await fetchContent((response, heard) => {
      turn += 1;
      if (turn === 1) breakAfter(response, heard, 500_000);
      else response.end(content);
    });
    await done;
    expect(content.equals(await readFile(target))).toBe(true);
  });

  it('starts over after a 416', async () => {
    let first = true;
    const { done, target } = await fetchContent((response, heard) => {
      if (heard.headers.range !== undefined) response.writeHead(416).end();
      else if (!first) response.end(content);
      else breakAfter(response, heard, 500_000);
      first = false;
    });
    await done;
    expect(content.equals(await readFile(target))).toBe(true);
  });

  it.each([
    ['shorter', content.subarray(1), true, 1],
    ['longer', Buffer.concat([content, content]), true, 1],
    ['shorter, without saying so,', content.subarray(1), false, 6],
    ['longer, without saying so,', Buffer.concat([content, content]), false, 6],
  ])('that stays %s than announced is an error', async (_what, sent, hasLength, attempts) => {
    const { done, directory, heard } = await fetchContent((response) => {
      if (!hasLength) response.write(sent.subarray(0, 1));
      response.end(hasLength ? sent : sent.subarray(1));
    });
    await expect(done).rejects.toThrow(/^Girder sent \d+ bytes of “slide\.svs” instead of 4000000\.$/);
    expect(heard).toHaveLength(attempts);
    expect(await readdir(directory)).toEqual([]);
  });

  it('without read permission is an error at once', async () => {
    const { done, heard } = await fetchContent((response) =>
      sendJson(response, { type: 'access', message: 'Read access denied for file f1.' }, 403),
    );
    await expect(done).rejects.toMatchObject({ code: 'girder', kind: 'access' });
    expect(heard).toHaveLength(1);
  });

  it('stops when the run is canceled', async () => {
    const abort = new AbortController();
    const bench = await setUp((response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 10), () => abort.abort());
    });
    const target = path.join(bench.directory, 'x');
    await expect(
      downloadFile({ ...bench.context, signal: abort.signal }, file, target),
    ).rejects.toMatchObject({
      kind: 'aborted',
    });
    expect(await readdir(bench.directory)).toEqual([]);
  });

  it('that is a link is fetched from its URL, without the token', async () => {
    const elsewhere = await startScriptedServer((response) => response.end('far away'));
    const bench = await setUp((response, { path: asked }) => {
      if (asked.endsWith('/download')) response.writeHead(303, { location: `${elsewhere.origin}/x` }).end();
      else sendJson(response, { _id: 'f1', name: 'x', size: 99, linkUrl: 'http://y' });
    });
    const target = path.join(bench.directory, 'x');
    await downloadFile(
      bench.context,
      await getFile(bench.context.client, 'f1', bench.context.signal),
      target,
    );
    await elsewhere.close();
    expect(await readFile(target, 'utf8')).toBe('far away');
    expect(elsewhere.heard[0]?.headers['girder-token']).toBeUndefined();
  });

  it('of any size takes constant memory', async () => {
    const chunk = Buffer.alloc(1 << 16, 'x');
    const size = 192 * 1024 * 1024;
    const bench = await setUp((response) => {
      Readable.from(endless(chunk, size / chunk.length)).pipe(response);
    });
    const target = path.join(bench.directory, 'big');
    const growth = await memoryGrowth(async () => downloadFile(bench.context, { ...file, size }, target));
    expect((await stat(target)).size).toBe(size);
    expect(growth).toBeLessThan(size / 2);
  });
});

function* endless(chunk: Buffer, times: number): Generator<Buffer> {
  for (let n = 0; n < times; n += 1) yield chunk;
}

const documents = (names: readonly string[] = []) => names.map((name) => ({ _id: name, name, size: 1 }));

describe('items and folders', () => {
  const recorded = recordedExchanges('g3.transform_downloads_uploads.json');

  it('sends the requests of the Python worker and creates the same files', async () => {
    const bench = await setUp(replay(recorded));
    const folder = { id: 'fafafafafafafafafa000062', name: 'Input Images' };
    const made = await downloadFolder(bench.context, folder, bench.directory);
    expect(made).toBe(path.join(bench.directory, 'Input Images'));
    expect((await readdir(made)).sort()).toEqual(['second.txt', 'tiny image.txt']);
    expect(await readFile(path.join(made, 'tiny image.txt'), 'utf8')).toBe('hello slide 1\n');
    expect((await stat(made)).mode & 0o777).toBe(0o777);
    const python = recorded.map((exchange) => requestShape(recordedRequest(exchange)));
    // except for the file documents, whose names and sizes the listing already contains
    expect(bench.heard.map(requestShape)).toEqual(
      python.slice(1, 9).filter((shape) => !/ \/api\/v1\/file\/\w+ /.test(shape)),
    );
  });

  it('a folder includes its subfolders, also empty ones', async () => {
    const below: Record<string, string[]> = { top: ['a', 'empty'], a: ['b'] };
    const items: Record<string, string[]> = { top: ['x'], b: ['y', 'none'] };
    const files: Record<string, string[]> = { x: ['x'], y: ['1', '2'] };
    const bench = await setUp((response, { path: asked, query }) => {
      const parent = query.get('parentId') ?? query.get('folderId') ?? '';
      if (asked.endsWith('/folder')) sendJson(response, documents(below[parent]));
      else if (asked.endsWith('/item')) sendJson(response, documents(items[parent]));
      else if (asked.endsWith('/files')) sendJson(response, documents(files[asked.split('/').at(-2) ?? '']));
      else response.end('x');
    });
    const made = await downloadFolder(bench.context, { id: 'top', name: 'top' }, bench.directory);
    const found = (await readdir(made, { recursive: true })).sort();
    expect(found).toEqual(['a', 'a/b', 'a/b/none', 'a/b/y', 'a/b/y/1', 'a/b/y/2', 'empty', 'x']);
  });

  it('reads all pages and keeps siblings of the same name distinct', async () => {
    const names = [...Array.from({ length: 50 }, (_, n) => `n${n}`), 'n0', '../up', 'a/b'];
    const bench = await setUp((response, { path: asked, query }) => {
      const offset = Number(query.get('offset'));
      if (asked.endsWith('/files')) {
        const files = names.map((name) => ({ _id: name, name, size: 1 }));
        sendJson(response, files.slice(offset, offset + Number(query.get('limit'))));
      } else response.end('x');
    });
    const made = await downloadItem(bench.context, { id: 'i', name: 'many' }, bench.directory);
    expect(await readdir(bench.directory)).toEqual(['many']);
    const inside = await readdir(made);
    expect(inside).toHaveLength(53);
    expect(inside).toEqual(expect.arrayContaining(['n0', 'n0 (2)', '.._up', 'a_b']));
  });

  it.each([
    [[], 'thing', []],
    [['thing'], 'thing', null],
    [['other'], 'thing', ['other']],
    [['thing', 'other'], 'thing', ['other', 'thing']],
  ])('an item with the files %j', async (names, item, inside) => {
    const bench = await setUp((response, { path: asked }) => {
      if (asked.endsWith('/files'))
        sendJson(
          response,
          names.map((name) => ({ _id: name, name, size: 1 })),
        );
      else response.end('x');
    });
    const made = await downloadItem(bench.context, { id: 'i', name: item }, bench.directory);
    expect(path.relative(bench.directory, made)).toBe(item);
    if (inside === null) expect((await stat(made)).isFile()).toBe(true);
    else expect((await readdir(made)).sort()).toEqual(inside);
  });

  it('limits the depth of folders', async () => {
    const bench = await setUp((response, { path: asked }) =>
      sendJson(response, asked.endsWith('/folder') ? [{ _id: 'f', name: 'f' }] : []),
    );
    await expect(downloadFolder(bench.context, { id: 'f', name: 'f' }, bench.directory)).rejects.toThrow(
      /64 levels/,
    );
  });
});

it('a full disk is reported as such', async () => {
  const full = Promise.reject(
    Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
  );
  const error: unknown = await withDiskErrors('/shared/tmp/x', full).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DsaSlurmError);
  expect(error).toMatchObject({ code: 'files', message: 'No space left in /shared/tmp.' });
});
