import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startFakeGirder, type FakeGirder } from '../../../src/sandbox/fake-girder/index.js';
import type { Handler } from '../../../src/sandbox/fake-girder/rules.js';
import transitions from '../../fixtures/contract/transitions.json' with { type: 'json' };
import cancelAnswers from '../../fixtures/contract/cancel_answers.json' with { type: 'json' };

let dir: string;
let girder: FakeGirder;
let revoked: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-girder-'));
  revoked = [];
  girder = await startFakeGirder({
    dir,
    revoke: (id) => {
      revoked.push(id);
      return Promise.resolve();
    },
  });
});

afterEach(async () => {
  await girder.stop();
  await rm(dir, { recursive: true, force: true });
});

function newJob(handler: Handler = 'celery_handler') {
  return girder.createJob({ title: 'T', type: 'i#c', celeryTaskId: 'task-1', handler });
}

async function call(method: string, path: string, token = girder.userToken, body?: string | URLSearchParams) {
  const answer = await fetch(`${girder.apiUrl}/${path}`, {
    method,
    headers: { 'Girder-Token': token },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  return { status: answer.status, json: JSON.parse(text) as Record<string, unknown> };
}

describe('job status', () => {
  test('every transition is answered as real Girder answers it', async () => {
    const cases = Object.entries(transitions).filter(([key]) => key.includes('->'));
    const ours = cases.filter(([key]) => /^(celery|worker)_handler /.test(key));
    expect(ours.length).toBeGreaterThan(200);
    for (const [key, expected] of ours) {
      const [, handler, from, to] = /^(\w+) (\d+)->(\d+)$/.exec(key) ?? [];
      const job = newJob(handler as Handler);
      job.status = Number(from);
      const answer = await call('PUT', `job/${job.id}`, job.token, new URLSearchParams({ status: to ?? '' }));
      const [status, error] = expected as unknown as [number, unknown];
      expect([key, answer.status]).toEqual([key, status]);
      if (status === 200) expect(answer.json['status']).toBe(Number(to));
      else expect(answer.json).toEqual(error);
    }
  });

  test('a refused status leaves the log of the same call out', async () => {
    const job = newJob();
    const answer = await call(
      'PUT',
      `job/${job.id}`,
      job.token,
      new URLSearchParams({ status: '3', log: 'x' }),
    );
    expect(answer.status).toBe(400);
    expect(girder.job(job.id)).toMatchObject({ status: 0, log: [], timestamps: [] });
  });

  test('log pieces are appended, progress stays what it was, statuses are dated', async () => {
    const job = newJob();
    const put = (fields: Record<string, string>) =>
      call('PUT', `job/${job.id}`, job.token, new URLSearchParams(fields));
    await put({ status: '2', log: 'one\n' });
    await put({ log: 'zwei ü\n', progressTotal: '1', progressCurrent: '0.5', progressMessage: 'half' });
    await put({ progressCurrent: '0.75' });
    const { json } = await call('GET', `job/${job.id}`, job.token);
    expect(json).toMatchObject({
      status: 2,
      log: ['one\n', 'zwei ü\n'],
      progress: { total: 1, current: 0.75, message: 'half' },
      timestamps: [{ status: 2 }],
    });
  });

  test.each(cancelAnswers)('cancel of a $handler job in status $status_before', async (expected) => {
    const job = newJob(expected.handler as Handler);
    job.status = expected.status_before;
    const answer = await call('PUT', `job/${job.id}/cancel`);
    expect(answer.status).toBe(expected.http);
    expect(job.status).toBe(expected.status_after);
    expect(revoked).toEqual(expected.revoke_broadcast ? ['task-1'] : []);
    if (expected.error !== null) expect(answer.json).toEqual(expected.error);
  });

  test('a token gives access to its own job only', async () => {
    const [job, other] = [newJob(), newJob()];
    expect((await call('GET', `job/${job.id}`, other.token)).json).toEqual({
      type: 'access',
      message: 'Invalid token scope.',
    });
    expect((await call('GET', `job/${job.id}`, 'nonsense')).status).toBe(401);
    expect((await call('GET', `folder/${girder.rootFolderId}`, job.token)).status).toBe(401);
    expect((await call('GET', 'user/me')).json, 'as the token of a transform is answered').toBeNull();
    expect((await call('GET', `user/${girder.userId}`, '')).json['login']).toBe('pathologist');
  });

  test('no artifact endpoint, as in stock Girder', async () => {
    const job = newJob();
    const answer = await call('POST', `job/${job.id}/artifact?name=a`, job.token, 'x');
    expect(answer.json).toEqual({
      type: 'rest',
      message: `No matching route for "POST ${job.id}/artifact"`,
    });
  });
});

const makeSub = () =>
  call('POST', `folder?parentType=folder&parentId=${girder.rootFolderId}&name=sub&reuseExisting=True`);

const listFolders = async (offset: number) => {
  const query = `parentType=folder&parentId=${girder.rootFolderId}&limit=50&offset=${offset}`;
  return (await call('GET', `folder?${query}`)).json as unknown as unknown[];
};

describe('files', () => {
  test('a file is described, downloaded whole, from an offset and by range', async () => {
    const file = await girder.addFile(girder.rootFolderId, 'tiny image.txt', Buffer.from('hello slide 1\n'));
    expect((await call('GET', `file/${file.id}`)).json).toMatchObject({
      name: 'tiny image.txt',
      size: 14,
      exts: ['txt'],
      mimeType: 'text/plain',
    });
    const text = async (query: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${girder.apiUrl}/file/${file.id}/download${query}`, {
        headers: { 'Girder-Token': girder.userToken, ...headers },
      });
      return [answer.status, await answer.text()];
    };
    expect(await text('')).toEqual([200, 'hello slide 1\n']);
    expect(await text('?offset=6')).toEqual([200, 'slide 1\n']);
    expect(await text('', { Range: 'bytes=6-10' })).toEqual([206, 'slide']);
    expect(await text('', { Range: 'bytes=6-' })).toEqual([206, 'slide 1\n']);
    expect((await call('GET', `file/${'0'.repeat(24)}`)).json).toEqual({
      type: 'rest',
      message: `Invalid file id (${'0'.repeat(24)}).`,
    });
  });

  test('an upload in one piece, and a second of the same name', async () => {
    const query = `parentType=folder&parentId=${girder.rootFolderId}&name=x%20y.txt&size=3&mimeType=text%2Fplain&reference=r`;
    await call('POST', `file?${query}`, girder.userToken, 'abc');
    await call('POST', `file?${query}`, girder.userToken, 'def');
    const items = girder.items(girder.rootFolderId);
    expect(items.map((item) => item.name)).toEqual(['x y.txt', 'x y.txt (1)']);
    const [file] = girder.files(items[1]?.id ?? '');
    expect(file).toMatchObject({ name: 'x y.txt', reference: 'r', size: 3 });
    expect(await readFile(file?.path ?? '', 'utf8')).toBe('def');
  });

  test('an upload in chunks: offsets are checked and can be asked for', async () => {
    const item = await girder.addFile(girder.rootFolderId, 'a.txt', Buffer.from('old'));
    const begun = await call('POST', `file?parentType=item&parentId=${item.itemId}&name=b.bin&size=6`);
    const uploadId = String(begun.json['_id']);
    expect(begun.json).toMatchObject({ received: 0, size: 6 });
    await call('POST', `file/chunk?offset=0&uploadId=${uploadId}`, girder.userToken, 'abc');
    const wrong = await call('POST', `file/chunk?offset=0&uploadId=${uploadId}`, girder.userToken, 'abc');
    expect(wrong.status).toBe(400);
    expect((await call('GET', `file/offset?uploadId=${uploadId}`)).json).toEqual({ offset: 3 });
    const done = await call('POST', `file/chunk?offset=3&uploadId=${uploadId}`, girder.userToken, 'def');
    expect(done.json).toMatchObject({ _modelType: 'file', name: 'b.bin', size: 6 });
    const file = girder.files(item.itemId).find((entry) => entry.name === 'b.bin');
    expect(await readFile(file?.path ?? '', 'utf8')).toBe('abcdef');
  });

  test('new contents for an existing file', async () => {
    const file = await girder.addFile(girder.rootFolderId, 'a.txt', Buffer.from('old'));
    const begun = await call('PUT', `file/${file.id}/contents?size=7`);
    await call(
      'POST',
      `file/chunk?offset=0&uploadId=${String(begun.json['_id'])}`,
      girder.userToken,
      'renewed',
    );
    expect(await readFile(girder.files(file.itemId)[0]?.path ?? '', 'utf8')).toBe('renewed');
  });

  test('folders are reused on request, and listed by pages', async () => {
    const [first, second] = [await makeSub(), await makeSub()];
    expect(second.json['_id']).toBe(first.json['_id']);
    for (let n = 0; n < 60; n += 1) girder.addFolder(girder.rootFolderId, `f${n}`);
    expect([(await listFolders(0)).length, (await listFolders(50)).length]).toEqual([50, 11]);
  });
});

test('faults affect only the matching requests', async () => {
  girder.fail((method, path) =>
    method === 'GET' && path.startsWith('system')
      ? { kind: 'answer', status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' }
      : path.startsWith('user')
        ? { kind: 'drop' }
        : undefined,
  );
  const spoiled = await fetch(`${girder.apiUrl}/system/version`);
  expect([spoiled.status, await spoiled.text()]).toEqual([502, '<h1>Bad gateway</h1>']);
  await expect(fetch(`${girder.apiUrl}/user/me`)).rejects.toThrow(/fetch failed/);
  girder.fail();
  expect((await call('GET', 'system/version')).json['release']).toBe('3.2.99');
  expect(girder.requests().map((record) => record.status)).toEqual([502, 0, 200]);
});
