import { expect, test } from 'vitest';
import { createGirderJobFor } from '../../../src/girder/create-job.js';
import { sendJson } from '../../support/scripted-http.js';
import { recordedExchanges, setUp } from './girder-bench.js';

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

test('a Girder job is asked for as the Python worker asks, and its specification is handed over', async () => {
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

test('arguments that do not fit into a URL are left out', async () => {
  const { access, setup, heard } = await setUp((response) => sendJson(response, { message: 'no' }, 400));
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
