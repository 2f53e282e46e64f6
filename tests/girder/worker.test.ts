import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GirderDocument } from '../../src/sandbox/real-girder/rest.js';
import { runProgram } from '../support/program.js';
import { analyses } from './support/image.js';
import { logOf, openRig, status, statusesOf, type Job, type Rig } from './support/rig.js';
import { testGirder } from './support/test-girder.js';

const isGirder3 = testGirder().major === 3;

let rig: Rig;
let apiKey = '';

beforeAll(async () => {
  rig = await openRig();
  apiKey = (await rig.admin.call<{ key: string }>('POST', 'api_key', { params: { name: 'doctor' } })).key;
});

afterAll(async () => {
  await rig.close();
});

/** What `dsa-slurm doctor --json` says of each check, by its id. */
async function doctor(
  args: string[] = [],
  key = apiKey,
): Promise<Map<string, { status: string; evidence: string[] }>> {
  const girder = { DSA_SLURM_GIRDER_API_KEY: key, DSA_SLURM_GIRDER_API_URL: testGirder().apiUrl };
  const env = { ...rig.env, ...girder };
  const { code, stdout, stderr } = await runProgram(['doctor', '--json', ...args], env);
  if (stdout === '') throw new Error(`The doctor ended with ${code}: ${stderr}`);
  const { checks } = JSON.parse(stdout) as {
    checks: { id: string; status: string; evidence: string[] }[];
  };
  return new Map(checks.map((check) => [check.id, check]));
}

describe('the worker as Girder sees it', () => {
  test('its status page lists the worker', async () => {
    const seen = await rig.admin.call<Record<string, Record<string, unknown>>>('GET', 'worker/status');
    for (const part of ['ping', 'stats', 'active', 'report'])
      expect(Object.keys(seen[part] ?? {})).not.toEqual([]);
    const [stats] = Object.values(seen['stats'] ?? {}) as { total?: unknown; pool?: unknown }[];
    expect(stats).toMatchObject({ total: expect.any(Object), pool: expect.any(Object) });
  });

  test('beside a Python worker for `local`', async ({ skip }) => {
    skip(isGirder3, 'Girder 3 has no such queue');
    const [from, to] = [await rig.folder('from'), await rig.folder('to')];
    await rig.user.upload(from, 'a file', 'content');
    const params = { parentId: to, parentType: 'folder' };
    const copy = () => rig.user.call('POST', `folder/${from}/copy`, { params });
    // our worker does not consume `local`
    await expect(copy()).rejects.toThrow('No local worker is available');
    await rig.girder('local');
    try {
      // Girder caches for an hour that it found no worker; it waits one second for answers, so it may miss one
      await rig.until(async () => {
        await rig.girder('kill');
        await rig.girder('start');
        return copy().then(
          () => true,
          () => false,
        );
      });
      await rig.until(async () => {
        return (await rig.user.call<GirderDocument[]>('GET', 'folder', { params })).length === 1;
      });
      const both = await rig.until(async () => {
        const { ping = {} } = await rig.admin.call<{ ping?: object }>('GET', 'worker/status');
        return Object.keys(ping).length === 2 ? Object.keys(ping) : null;
      });
      expect(both.some((name) => name.startsWith('local@'))).toBe(true);
    } finally {
      await rig.girder('local', 'stop');
    }
  });
});

/** Ends with the job of adding images to Girder. */
async function add(...names: string[]): Promise<Job> {
  const params = { path: '/collection/Tasks/Slicer CLI' };
  const { _id: folder } = await rig.admin.call('GET', 'resource/lookup', { params });
  const request = { name: JSON.stringify(names), folder, pull: true };
  return rig.ended(await rig.admin.call<Job>('PUT', 'slicer_cli_web/docker_image', { params: request }));
}

async function cliIds(): Promise<string[]> {
  const list = await rig.user.call<GirderDocument[]>('GET', 'slicer_cli_web/cli');
  return list.map(({ _id }) => _id).toSorted((a, b) => a.localeCompare(b));
}

describe('adding images through Girder', () => {
  const why = 'Girder 3 adds images itself, with Docker, and publishes no task';

  test('again: the same CLIs under the same ids', async ({ skip }) => {
    skip(isGirder3, why);
    const before = await cliIds();
    expect((await add(analyses.name)).status).toBe(status.success);
    expect(await cliIds()).toEqual(before);
  });

  test('an image that is missing in the registry', async ({ skip }) => {
    skip(isGirder3, why);
    const job = await add('rig/unknown:v1');
    expect(statusesOf(job)).toContain(status.error);
    expect(logOf(job)).toContain('manifest unknown');
  });

  test('a broken image does not prevent a valid one from being added', async ({ skip }) => {
    skip(isGirder3, why);
    await writeFile(
      join(rig.registry, 'rig_broken_v1.sif'),
      '{"format": "dsa-slurm fake image 1", "labels": {}, "config": {}, "files": {}}',
    );
    const job = await add('rig/broken:v1', analyses.name);
    expect(job.status).toBe(status.error);
    expect(logOf(job)).toContain('rig/broken:v1');
    expect(await cliIds()).not.toEqual([]);
  });
});

describe('direct paths', () => {
  test('an input is mounted from the assetstore instead of downloaded', async () => {
    const set = (value: string) =>
      rig.admin.call('PUT', 'system/setting', { params: { key: 'worker.direct_path', value } });
    await rig.stopWorker();
    await rig.startWorker(['--set', 'girder.directPaths=true']);
    await set('true');
    try {
      const { job, folder } = await rig.copy('direct', 'a slide, direct.tiff');
      const ended = await rig.ended(job);
      expect(ended.status).toBe(status.success);
      expect(logOf(ended)).not.toContain('Fetching');
      expect(await rig.files(folder)).toEqual({ 'copy.txt': 'direct' });
      if (!isGirder3) {
        const [one, two] = [await rig.slide('one', 'x.tiff'), await rig.slide('two', 'x.tiff')];
        const results = await rig.folder('results');
        const params = { files: `${one._id},${two._id}`, output: 'output.txt', output_folder: results };
        const joined = await rig.ended(await rig.run('Join', params));
        expect(logOf(joined)).not.toContain('Fetching');
        expect(joined.status).toBe(status.success);
        const seen = JSON.parse((await rig.files(results))['output.txt'] ?? '[]') as unknown[];
        expect(seen).toHaveLength(2);
      }
    } finally {
      await set('false');
    }
  });
});

describe('the doctor', () => {
  test('asks Girder whether its messages reach a worker', async () => {
    const right = await doctor(['--deep']);
    expect(right.get('girder.worker-status')).toMatchObject({ status: 'ok' });
    expect([...right.values()].filter((check) => check.status === 'fail')).toEqual([]);
  });

  test('warns about an unreachable worker.api_url, even if girder.apiUrl is set', async () => {
    await rig.girder('kill');
    await rig.girder(
      'start',
      JSON.stringify({ GIRDER_SETTING_WORKER_API_URL: 'http://girder.invalid:8080/api/v1' }),
    );
    try {
      expect((await doctor()).get('girder.api-url')).toMatchObject({ status: 'warn' });
    } finally {
      await rig.girder('kill');
      await rig.girder('start');
    }
  });

  test('sees that Girder publishes to another broker', async () => {
    const other = 'amqp://guest:guest@127.0.0.1:1/';
    await rig.girder('kill');
    await rig.girder(
      'start',
      JSON.stringify({ GIRDER_WORKER_BROKER: other, GIRDER_SETTING_WORKER_BROKER: other }),
    );
    try {
      expect((await doctor(['--deep'])).get('girder.worker-status')).toMatchObject({ status: 'fail' });
    } finally {
      await rig.girder('kill');
      await rig.girder('start');
    }
  });

  test('reports an API key of limited scope', async () => {
    const scope = JSON.stringify(['core.data.read']);
    const params = { name: 'limited', scope };
    const { key } = await rig.admin.call<{ key: string }>('POST', 'api_key', { params });
    const seen = await doctor([], key);
    expect(seen.get('girder.images')).toMatchObject({ status: 'skip' });
    expect(seen.get('girder.token')?.evidence.join(' ')).toContain('limited scope');
  });
});
