import { expect, test } from 'vitest';

import { createGirderJobSearch } from '../../../../src/worker/reporting/girder-job-search.js';
import { sendJson } from '../../../support/scripted-http.js';
import { someSettings } from '../../../support/settings.js';
import { setUp } from '../../girder/girder-bench.js';

const apiKey = 'k'.repeat(40);
const never = new AbortController().signal;
const wanted = { taskId: 'the-task', type: 'celery' };
const id = 'fafafafafafafafafa000063';
const jobInfoSpec = { method: 'PUT', url: `http://girder/api/v1/job/${id}`, reference: id, headers: {} };

/** A Girder that answers questions about jobs in this way, and what it was asked. */
async function bench(status: number, key: string | null = apiKey) {
  const { origin, heard, setup } = await setUp((response, { path }) => {
    if (path.endsWith('/api_key/token')) return sendJson(response, { authToken: { token: 'T1', scope: [] } });
    return status === 200
      ? sendJson(response, [{ celeryTaskId: 'the-task', jobInfoSpec }])
      : sendJson(response, { type: 'rest', message: 'No.' }, status);
  });
  const girder = { ...someSettings().girder, apiKey: key, apiUrl: `${origin}/api/v1` };
  return { search: createGirderJobSearch({ ...setup, girder }), heard };
}

test('finds the job of a task as the owner of the API key', async () => {
  const { search, heard } = await bench(200);
  expect(await search(wanted, never)).toEqual({ id, jobInfoSpec });
  await search(wanted, never);
  // one login for all questions
  expect(heard.map(({ path }) => path)).toEqual([
    '/api/v1/api_key/token',
    ...Array(2).fill('/api/v1/job/all'),
  ]);
  expect(heard.at(-1)?.headers['girder-token']).toBe('T1');
});

test('finds nothing without an API key, and sends no request', async () => {
  const { search, heard } = await bench(200, null);
  expect(await search(wanted, never)).toBeNull();
  expect(heard).toEqual([]);
});

test('finds nothing if Girder denies access', async () => {
  const { search } = await bench(403);
  expect(await search(wanted, never)).toBeNull();
});

test('does not take a missing answer for an empty one', async () => {
  const { search } = await bench(503);
  await expect(search(wanted, never)).rejects.toMatchObject({ transient: true });
});
