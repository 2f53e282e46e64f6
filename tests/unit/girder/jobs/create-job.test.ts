import { describe, expect, test } from 'vitest';
import { clientFor } from '../../../../src/girder/api/client.js';
import { createGirderJobFor, findGirderJobOf } from '../../../../src/girder/jobs/create-job.js';
import { sendJson } from '../../../support/scripted-http.js';
import { recordedExchanges, setUp } from '../girder-bench.js';

const recorded = recordedExchanges('g3.status_updates_and_child_jobs.json').filter(
  ({ method }) => method === 'POST',
);
const signal = new AbortController().signal;

const wanted = {
  title: '<unnamed job>',
  type: 'celery',
  handler: 'celery_handler',
  public: false,
  args: '[20, 22]',
  taskId: 'the-task',
  parentTaskId: 'its-parent',
  otherFields: {},
};

test('creates a Girder job with the request of the Python worker and returns its jobInfoSpec', async () => {
  const [first] = recorded;
  if (first === undefined) throw new Error('nothing recorded');
  const answer = JSON.parse(first.response) as { jobInfoSpec: { reference: string } };
  const { access, setup, heard } = await setUp((response) => sendJson(response, answer));
  const job = await createGirderJobFor(access, wanted, { ...setup, signal });
  expect(job).toEqual({ id: answer.jobInfoSpec.reference, jobInfoSpec: answer.jobInfoSpec });
  const theirs = new URL(first.path, 'http://girder').searchParams;
  const ours = new Map(heard[0]?.query);
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatchObject({ method: 'POST', path: '/api/v1/job' });
  expect(heard[0]?.headers['girder-token']).toBe('T0KEN');
  expect([...ours.keys()]).toEqual([...theirs.keys()]);
  for (const name of ['title', 'type', 'handler', 'public', 'args'])
    expect(ours.get(name)).toBe(theirs.get(name));
  expect(JSON.parse(ours.get('otherFields') ?? '')).toEqual({
    celeryTaskId: 'the-task',
    celeryParentTaskId: 'its-parent',
  });
});

test('omits arguments that do not fit into a URL', async () => {
  const { access, setup, heard } = await setUp((response) =>
    sendJson(response, { type: 'rest', message: 'no' }, 400),
  );
  const job = createGirderJobFor(
    access,
    { ...wanted, args: `["${'x'.repeat(5_000)}"]` },
    { ...setup, signal },
  );
  await expect(job).rejects.toThrow(/400/);
  expect(heard[0]?.query.get('args')).toBe('[]');
});

test.each([
  ['none', { _id: 'fafafafafafafafafa000063' }],
  ['one that leads nowhere', { _id: 'x', jobInfoSpec: { method: 'PUT', url: 'nowhere' } }],
])('an answer with a specification that is %s is refused', async (_, answer) => {
  const { access, setup } = await setUp((response) => sendJson(response, answer));
  await expect(createGirderJobFor(access, wanted, { ...setup, signal })).rejects.toThrow();
});

const others = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({ celeryTaskId: `other-${index}`, jobInfoSpec: null }));

/** The result of searching these pages of jobs, and the requests that were sent. */
async function search(pages: readonly object[][]) {
  const { access, setup, heard } = await setUp((response, { query }) =>
    sendJson(response, pages[Number(query.get('offset')) / Number(query.get('limit'))] ?? []),
  );
  return { found: await findGirderJobOf(clientFor(access, setup), wanted, signal), heard };
}

describe('findGirderJobOf', () => {
  const id = 'fafafafafafafafafa000063';
  const jobInfoSpec = { method: 'PUT', url: `http://girder/api/v1/job/${id}`, reference: id, headers: {} };

  test('searches the jobs of the type, newest first, page by page', async () => {
    const { found, heard } = await search([
      others(50),
      [...others(3), { celeryTaskId: 'the-task', jobInfoSpec }],
    ]);
    expect(found).toEqual({ id, jobInfoSpec });
    expect(heard.map(({ method, path }) => `${method} ${path}`)).toEqual(
      Array(2).fill('GET /api/v1/job/all'),
    );
    expect(Object.fromEntries(heard[1]?.query ?? [])).toEqual({
      types: '["celery"]',
      sort: 'created',
      sortdir: '-1',
      limit: '50',
      offset: '50',
    });
  });

  test('gives up after the last page, or after a thousand jobs', async () => {
    expect(await search([others(49)])).toMatchObject({ found: null, heard: { length: 1 } });
    const endless = await search(Array.from({ length: 99 }, () => others(50)));
    expect(endless).toMatchObject({ found: null, heard: { length: 20 } });
  });

  test('finds nothing for users to whom Girder does not show task ids', async () => {
    expect((await search([[{ _id: id, jobInfoSpec }]])).found).toBeNull();
  });
});
