import { truncate, writeFile, mkdir, symlink, chmod } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  ensureFolder,
  findOutput,
  listOutput,
  uploadFileToFolder,
  uploadFileToItem,
} from '../../../../src/girder/transfer/upload.js';
import { mimeTypeOf } from '../../../../src/girder/transfer/mime-type.js';
import { sendJson, type Heard } from '../../../support/scripted-http.js';
import { memoryGrowth, recordedExchanges, recordedRequest, requestShape, setUp } from '../girder-bench.js';

const chunk = 64 * 1024 * 1024;
const recorded = recordedExchanges('g3.transform_downloads_uploads.json');
const recordedShapes = recorded.map((exchange) => requestShape(recordedRequest(exchange)));

/** The requests with the lengths of their bodies: `POST file/chunk 0 5`. */
function asked({ method, path: pathname, query, length }: Heard): string {
  const extra = query.get('offset') ?? query.get('size') ?? '';
  return [method, pathname.replace('/api/v1/', ''), extra, length].join(' ');
}

describe('to a folder', () => {
  it('sends the request of the Python worker, but the content separately', async () => {
    const bench = await setUp((response) => sendJson(response, { _id: 'x', _modelType: 'file' }));
    const file = path.join(bench.directory, 'x y.txt');
    await writeFile(file, 'output of out/x y.txt');
    await uploadFileToFolder(bench.context, file, 'fafafafafafafafafa000065', { reference: '{"a": 1}' });
    expect(bench.heard.map(asked)).toEqual(['POST file 21 0', 'POST file/chunk 0 21']);
    const [heard, content] = bench.heard;
    const python = recorded.find(({ path: target }) => target.includes('name=x+y.txt'));
    expect(requestShape(heard as Heard)).toBe(requestShape(recordedRequest(python as never)));
    expect(heard?.query.toString()).toBe(new URL(python?.path ?? '', 'http://x').searchParams.toString());
    expect(content?.body.toString()).toBe(python?.body);
    expect(content?.headers['content-length']).toBe('21');
    expect(bench.messages).toEqual(['Uploading “x y.txt” (21 B).']);
  });

  it('takes name and type from the task and omits an unknown type', async () => {
    const bench = await setUp((response, { method }) =>
      sendJson(response, method === 'GET' ? [] : { _id: 'x' }),
    );
    const file = path.join(bench.directory, 'result.unknown');
    await writeFile(file, '');
    await uploadFileToFolder(bench.context, file, 'f', {});
    await uploadFileToFolder(bench.context, file, 'f', { filename: 'n.csv', mimeType: 'a/b' });
    const posts = bench.heard.filter(({ method }) => method === 'POST');
    expect(posts.map(({ query }) => query.toString())).toEqual([
      'parentType=folder&parentId=f&name=result.unknown&size=0',
      'parentType=folder&parentId=f&name=n.csv&size=0&mimeType=a%2Fb',
    ]);
    expect(posts[0]?.headers['content-length']).toBe('0');
  });

  it.each(['POST file', 'POST file/chunk'])(
    'creates one file if the response to %s is lost',
    async (lost) => {
      // a Girder that creates the file when the last byte of its upload has arrived
      const uploads = new Map<string, number>();
      const made: string[] = [];
      let broken = false;
      const bench = await setUp((response, heard) => {
        const { method, path: target, query, body } = heard;
        const what = `${method} ${target.replace('/api/v1/', '')}`;
        const id = query.get('uploadId') ?? `up${uploads.size + 1}`;
        const known = uploads.get(id);
        if (what === 'POST file') uploads.set(id, 0);
        else if (known === undefined) {
          return sendJson(response, { type: 'rest', message: `Invalid upload id (${id}).` }, 400);
        }
        if (what === 'POST file/chunk') {
          uploads.delete(id);
          made.push(body.toString());
        }
        if (what === lost && !broken) {
          broken = true;
          return void response.socket?.destroy();
        }
        sendJson(response, what === 'GET file/offset' ? { offset: known } : { _id: id });
      });
      const file = path.join(bench.directory, 'a');
      await writeFile(file, 'content');
      await uploadFileToFolder(bench.context, file, 'f', {});
      expect(made).toEqual(['content']);
    },
  );

  it.each([
    ['Girder completes it', 3, []],
    ['Girder failed at that', Infinity, ['uploadId=up']],
  ])('waits for completion if Girder has every byte, and %s', async (_what, forgetsAt, completed) => {
    let asks = 0;
    const bench = await setUp((response, { path: target }) => {
      if (target.endsWith('/chunk')) return sendJson(response, { type: 'internal', message: 'x' }, 500);
      if (!target.endsWith('/offset')) return sendJson(response, { _id: 'up' });
      asks += 1;
      if (asks < forgetsAt) sendJson(response, { offset: 7 });
      else sendJson(response, { type: 'rest', message: 'Invalid upload id (up).' }, 400);
    });
    const file = path.join(bench.directory, 'a');
    await writeFile(file, 'content');
    await uploadFileToFolder(bench.context, file, 'f', {});
    const forms = bench.heard.filter(({ path: target }) => target.endsWith('/file/completion'));
    expect(forms.map(({ body }) => body.toString())).toEqual(completed);
    expect(bench.heard.filter(({ path: target }) => target.endsWith('/chunk'))).toHaveLength(1);
  });

  it('continues at the offset that Girder reports if Girder refuses a chunk that arrives twice at the same time', async () => {
    let refused = false;
    const bench = await setUp((response, { path: target }) => {
      if (target.endsWith('/offset')) return sendJson(response, { offset: 3 });
      if (target.endsWith('/chunk') && !refused) {
        refused = true;
        // girder 5.0.19 and newer
        const message = 'An upload with this ID was simultaneously modified';
        return sendJson(response, { type: 'girder', message }, 500);
      }
      sendJson(response, { _id: 'up' });
    });
    const file = path.join(bench.directory, 'a');
    await writeFile(file, 'content');
    await uploadFileToFolder(bench.context, file, 'f', {});
    const chunks = bench.heard.filter(({ path: target }) => target.endsWith('/chunk'));
    expect(chunks.map(({ body }) => body.toString())).toEqual(['content', 'tent']);
  });

  it('sends more than 64 MiB in chunks with constant memory and resumes after a failed chunk', async () => {
    const size = 4 * chunk + 5;
    let broken = false;
    const bench = await setUp((response, { path: target, query }) => {
      if (target.endsWith('/offset')) return sendJson(response, { offset: chunk });
      if (target.endsWith('/chunk') && query.get('offset') === String(chunk) && !broken) {
        broken = true;
        return void response.socket?.destroy();
      }
      sendJson(response, { _id: 'up1' });
    });
    const file = path.join(bench.directory, 'big.tiff');
    await writeFile(file, '');
    await truncate(file, size);
    const growth = await memoryGrowth(async () => uploadFileToFolder(bench.context, file, 'f', {}));
    expect(bench.heard.map(asked)).toEqual([
      `POST file ${size} 0`,
      `POST file/chunk 0 ${chunk}`,
      `POST file/chunk ${chunk} ${chunk}`,
      'GET file/offset  0',
      `POST file/chunk ${chunk} ${chunk}`,
      `POST file/chunk ${2 * chunk} ${chunk}`,
      `POST file/chunk ${3 * chunk} ${chunk}`,
      `POST file/chunk ${4 * chunk} 5`,
    ]);
    expect(bench.heard[1]?.query.toString()).toBe('offset=0&uploadId=up1');
    // the whole file would be more than four; on a busy machine garbage is collected late
    expect(growth).toBeLessThan(3 * chunk);
  });
});

/** The listing of an item. */
const files = (...names: string[]) => names.map((name) => ({ _id: `id-${name}`, name, size: 19 }));

describe('to an item', () => {
  it('creates a new file as the Python worker does', async () => {
    const bench = await setUp((response, { path: target }) =>
      sendJson(response, target.endsWith('/files') ? files('other') : { _id: 'fafafafafafafafafa0000c0' }),
    );
    const file = path.join(bench.directory, 'a.txt');
    await writeFile(file, 'output of dir/a.txt');
    await uploadFileToItem(bench.context, file, 'fafafafafafafafafa000061', {});
    for (const heard of bench.heard) expect(recordedShapes).toContain(requestShape(heard));
    expect(bench.heard.map(asked)).toEqual([
      'GET item/fafafafafafafafafa000061/files 0 0',
      'POST file 19 0',
      'POST file/chunk 0 19',
    ]);
  });

  it('replaces a file of the same name, even of the same size', async () => {
    const bench = await setUp((response, { path: target }) =>
      sendJson(response, target.endsWith('/files') ? files('a.txt') : { _id: 'up' }),
    );
    const file = path.join(bench.directory, 'a.txt');
    await writeFile(file, 'output of dir/A.txt');
    await uploadFileToItem(bench.context, file, 'i', { reference: 'r' });
    expect(bench.heard.map(asked)).toEqual([
      'GET item/i/files 0 0',
      'PUT file/id-a.txt/contents 19 0',
      'POST file/chunk 0 19',
    ]);
    expect(bench.heard[1]?.query.get('reference')).toBe('r');
  });

  it('treats an upload that Girder has forgotten as complete if only its last response was lost', async () => {
    const bench = await setUp((response, { path: target }) => {
      if (target.endsWith('/chunk')) return void response.socket?.destroy();
      if (target.endsWith('/offset')) {
        return sendJson(response, { type: 'rest', message: 'Invalid upload id (up).' }, 400);
      }
      sendJson(response, target.endsWith('/files') ? [] : { _id: 'up' });
    });
    const file = path.join(bench.directory, 'a.txt');
    await writeFile(file, 'x');
    await uploadFileToItem(bench.context, file, 'i', {});
    expect(bench.heard.filter(({ path: target }) => target.endsWith('/chunk'))).toHaveLength(1);
  });

  it('gives up if no byte arrives', async () => {
    const bench = await setUp((response, { path: target }) => {
      if (target.endsWith('/chunk')) return sendJson(response, {}, 502);
      sendJson(
        response,
        target.endsWith('/files') ? [] : target.endsWith('/offset') ? { offset: 0 } : { _id: 'up' },
      );
    });
    const file = path.join(bench.directory, 'a.txt');
    await writeFile(file, 'x');
    await expect(uploadFileToItem(bench.context, file, 'i', {})).rejects.toMatchObject({ status: 502 });
    expect(bench.heard.filter(({ path: target }) => target.endsWith('/chunk'))).toHaveLength(6);
  });
});

it('creates a folder with the request of the Python worker', async () => {
  const bench = await setUp((response) => sendJson(response, { _id: 'new', name: 'sub' }));
  expect(await ensureFolder(bench.context, 'fafafafafafafafafa000065', 'sub')).toBe('new');
  expect(recordedShapes).toContain(requestShape(bench.heard[0] as Heard));
});

describe('outputs of a hostile container', () => {
  it('are found only inside their directory, and only as files and directories', async () => {
    const { directory } = await setUp(() => undefined);
    const root = path.join(directory, 'volume');
    await mkdir(path.join(root, 'sub'), { recursive: true });
    await writeFile(path.join(directory, 'secret'), 'secret');
    await writeFile(path.join(root, 'good.txt'), '');
    await writeFile(path.join(root, 'unreadable'), '');
    await chmod(path.join(root, 'unreadable'), 0);
    await promisify(execFile)('mkfifo', [path.join(root, 'fifo')]);
    const links = {
      in: 'good.txt',
      out: '../secret',
      up: '..',
      loop: 'loop',
      gone: 'nowhere',
      dir: 'sub',
      etc: '/etc',
    };
    for (const [name, target] of Object.entries(links)) await symlink(target, path.join(root, name));

    const kinds: Record<string, string> = {};
    for (const name of [
      'good.txt',
      'sub',
      '.',
      'missing',
      'fifo',
      'up/secret',
      'etc/passwd',
      ...Object.keys(links),
    ]) {
      kinds[name] = (await findOutput(root, name)).kind;
    }
    expect(kinds).toEqual({
      'good.txt': 'file',
      sub: 'directory',
      '.': 'directory',
      missing: 'nothing',
      fifo: 'refused',
      'up/secret': 'refused',
      'etc/passwd': 'refused',
      in: 'file',
      out: 'refused',
      up: 'refused',
      loop: 'refused',
      gone: 'nothing',
      dir: 'directory',
      etc: 'refused',
    });
    const skipped: string[] = [];
    const listed = await listOutput(root, '.', (name) => skipped.push(name));
    expect(listed.map(({ name }) => name)).toEqual(['good.txt', 'in', 'sub', 'unreadable']);
    expect(skipped.sort()).toEqual(['dir', 'etc', 'fifo', 'gone', 'loop', 'out', 'up']);
  });

  it('do not block if a file was replaced by a FIFO', async () => {
    const { directory, context } = await setUp(() => undefined);
    const fifo = path.join(directory, 'fifo');
    await promisify(execFile)('mkfifo', [fifo]);
    await symlink('fifo', path.join(directory, 'link'));
    await expect(uploadFileToFolder(context, fifo, 'f', {})).rejects.toThrow(/it is not a regular file/);
    await expect(uploadFileToFolder(context, path.join(directory, 'link'), 'f', {})).rejects.toThrow(/ELOOP/);
  });
});

it.each([
  ['a.TIFF', 'image/tiff'],
  ['a.b.json', 'application/json'],
  ['a.anot', 'application/json'],
  ['a', undefined],
  ['.csv', undefined],
])('the type of %s is %s', (name, type) => {
  expect(mimeTypeOf(name)).toBe(type);
});
