import { describe, expect, it } from 'vitest';
import { readAnalysis } from '../../../../src/girder/protocol/read-analysis.js';
import { firstGirderAccess } from '../../../../src/girder/api/user.js';
import { createUserSearch } from '../../../../src/worker/reporting/find-user.js';
import { loadSettings } from '../../../../src/config/load.js';
import { sendJson, type Heard } from '../../../support/scripted-http.js';
import { fixtureTask } from '../../girder/fixtures.js';
import { setUp } from '../../girder/girder-bench.js';
import * as p from '../../girder/pickles.js';

const userId = 'fafafafafafafafafa000001';
const jobId = 'fafafafafafafafafa0000c5';

/** A Girder whose user is public or not, and a worker with or without an API key. */
async function bench({ isPublic = true, hasKey = false } = {}) {
  const base = await setUp((response, { method, path: asked, headers }: Heard) => {
    const isAdmin = headers['girder-token'] === 'ADMIN';
    const refused = { type: 'access', message: 'Read access denied.' };
    if (method === 'POST') return sendJson(response, { authToken: { token: 'ADMIN', scope: [] } });
    if (asked.endsWith('/user/me')) return sendJson(response, isAdmin ? { login: 'admin' } : null);
    if (asked.endsWith(`/job/${jobId}`))
      return sendJson(response, isAdmin ? { userId } : refused, isAdmin ? 200 : 401);
    const isTold = asked.endsWith(`/user/${userId}`) && (isPublic || isAdmin);
    return sendJson(response, isTold ? { login: 'ada' } : refused, isTold ? 200 : 401);
  });
  const { settings } = loadSettings({
    profile: 'default',
    configDir: base.directory,
    env: {},
    flags: hasKey ? { 'girder.apiKey': 'k'.repeat(40), 'girder.apiUrl': base.access.apiUrl } : {},
  });
  const findUser = createUserSearch({ ...base.setup, girder: settings.girder });
  const question = {
    setup: base.setup,
    access: base.access,
    isOwnToken: false,
    ownerId: userId,
    girderJobId: jobId,
    signal: new AbortController().signal,
  };
  return { ...base, findUser, question };
}

describe('the user who has started a task', () => {
  it('is looked up by the id in the task, without a token', async () => {
    const { findUser, question, heard } = await bench();
    expect(await findUser(question)).toBe('ada');
    expect(heard).toHaveLength(1);
    expect(heard[0]?.headers).not.toHaveProperty('girder-token');
  });

  it('is looked up once for a batch, and again for one that is not known', async () => {
    const { findUser, question, heard } = await bench();
    const batch = Array.from({ length: 5 }, async () => findUser(question));
    expect(await Promise.all(batch)).toEqual(Array(5).fill('ada'));
    expect(await findUser(question)).toBe('ada');
    expect(heard).toHaveLength(1);
    expect(await findUser({ ...question, ownerId: 'fafafafafafafafafa000002' })).toBeNull();
    expect(await findUser({ ...question, ownerId: 'fafafafafafafafafa000002' })).toBeNull();
    expect(heard).toHaveLength(3);
  });

  it('is looked up with the API key if it is not public or not in the task', async () => {
    const { findUser, question } = await bench({ isPublic: false, hasKey: true });
    expect(await findUser(question)).toBe('ada');
    expect(await findUser({ ...question, ownerId: null, access: null })).toBe('ada');
  });

  it('is unknown without an answer', async () => {
    const { findUser, question } = await bench({ isPublic: false });
    expect(await findUser(question)).toBeNull();
    expect(await findUser({ ...question, ownerId: null })).toBeNull();
  });

  it('is the owner of an administrator token', async () => {
    const { findUser, question } = await bench();
    const access = { ...question.access, token: 'ADMIN' };
    expect(await findUser({ ...question, access, isOwnToken: true })).toBe('admin');
  });
});

const ownerOf = (...hooks: unknown[]): string | null => readAnalysis(p.taskOf({ hooks })).ownerId;
const reference = (text: string): unknown => p.uploadToFolder({ upload_kwargs: { reference: text } });

describe('a task names its user', () => {
  it('as Girder 3 and 5 publish it', () => {
    for (const file of ['g3.direct_docker_run.example1_all.json', 'g5.direct_docker_run.example1_all.json'])
      expect(readAnalysis(fixtureTask(file)).ownerId, file).toMatch(/^[0-9a-f]{24}$/);
  });

  it('in the job of a hook or in the reference of an upload; invalid ids are ignored', () => {
    expect(ownerOf(reference(JSON.stringify({ userId })))).toBe(userId);
    expect(ownerOf(p.uploadToFolder({ job: { userId } }))).toBe(userId);
    expect(ownerOf(reference('{'), reference('[]'), reference('{"userId":"../me"}'))).toBeNull();
  });

  it('and how to ask', () => {
    const access = { apiUrl: 'http://a/api/v1', token: 'T' };
    const args = [
      { kind: 'text', text: 'x' },
      { kind: 'token', access },
    ] as const;
    expect(firstGirderAccess({ args: [], hooks: [] })).toBeNull();
    expect(firstGirderAccess({ args, hooks: [] })).toBe(access);
  });
});
