import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { analysisMessage, type AnalysisRequest } from '../../../src/sandbox/producer/message.js';

interface Fixture {
  headers: Record<string, unknown> & {
    id: string;
    task: string;
    girder_result_hooks?: unknown[];
    jobInfoSpec: { reference: string } & Parameters<typeof analysisMessage>[2]['jobInfoSpec'];
  };
  body: string;
}

const fixtures = new URL('../../fixtures/contract/tasks/', import.meta.url);
const read = async (name: string) =>
  JSON.parse(await readFile(new URL(`${name}.json`, fixtures), 'utf8')) as Fixture;

/** Tokens, dates and the display texts differ from message to message; nothing else may. */
function comparable(json: unknown): unknown {
  const text = JSON.stringify(json)
    .replaceAll(/FAKETOKEN\d+x+/g, 'TOKEN')
    .replaceAll(/("__reduce__":\[\{"py\/type":"datetime.datetime"\},\[)"[^"]*"/g, '$1"WHEN"')
    .replaceAll(/"reference":"\{(?:[^"\\]|\\.)*"/g, '"reference":"R"')
    .replaceAll(/"<(?:[^"\\]|\\.)*>"/g, '"<transform>"')
    .replaceAll('"image":"example/small:v1","pull_image"', '"image":"IMAGE","pull_image"')
    .replaceAll(/"image":"example\/small@sha256:0+","pull_image"/g, '"image":"IMAGE","pull_image"');
  return JSON.parse(text);
}

function build(
  fixture: Fixture,
  request: Omit<AnalysisRequest, 'title' | 'taskId'>,
  title = 'Tiny CLI on tiny image.txt',
) {
  const { headers } = fixture;
  const job = { id: headers.jobInfoSpec.reference, jobInfoSpec: headers.jobInfoSpec };
  const site = {
    apiUrl: 'http://girder.example:8080/api/v1',
    userId: userIdOf(fixture),
    userToken: () => 'FAKETOKEN0000xxx',
    clientToken: 'FAKETOKEN0000xxx',
  };
  return analysisMessage({ ...request, title, taskId: headers.id }, site, job);
}

function userIdOf(fixture: Fixture): string {
  const state = /"userId":\{"py\/object":"bson.objectid.ObjectId","py\/state":\{"py\/b64":"([^"]+)"/.exec(
    JSON.stringify(fixture.headers),
  );
  return state === null ? '0'.repeat(24) : Buffer.from(state[1] ?? '', 'base64').toString('hex');
}

function fileOf(fixture: Fixture): string {
  return /"_file_id": "([0-9a-f]{24})"/.exec(fixture.body)?.[1] ?? '';
}

function folderOf(fixture: Fixture): string {
  return /"folder_id":"([0-9a-f]{24})"/.exec(JSON.stringify(fixture.headers))?.[1] ?? '';
}

const cases = [
  ['g3.direct_docker_run.tiny_download', 'docker', 'result file.txt'],
  ['g3slurm.direct_singularity_run.tiny_download', 'singularity', 'result_file.txt'],
] as const;

test.each(cases)('%s is built as Girder published it', async (name, spelling, output) => {
  const fixture = await read(name);
  const message = build(fixture, {
    spelling,
    image: 'example/small:v1',
    args: [
      'Tiny',
      { file: fileOf(fixture), name: 'tiny image.txt' },
      { output, toFolder: folderOf(fixture), identifier: 'outputFile' },
    ],
  });
  expect(message.task).toBe(fixture.headers.task);
  const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
  const body = { 'py/tuple': [{ 'py/tuple': message.args }, message.kwargs, embed] };
  expect(comparable(body)).toEqual(comparable(JSON.parse(fixture.body)));
  expect(comparable(message.headers['girder_result_hooks'])).toEqual(
    comparable(fixture.headers.girder_result_hooks),
  );
  expect(message.headers['jobInfoSpec']).toEqual(fixture.headers.jobInfoSpec);
});

test('a direct path is published the way Girder does', async () => {
  const fixture = await read('g3.direct_docker_run.tiny_direct');
  const directPath = /"_direct_file_path": "([^"]+)"/.exec(fixture.body)?.[1] ?? '';
  const message = build(fixture, {
    spelling: 'docker',
    image: 'example/small:v1',
    args: [
      'Tiny',
      { file: fileOf(fixture), name: 'tiny image.txt', directPath },
      { output: 'result file.txt' },
    ],
  });
  const expected = JSON.parse(fixture.body) as { 'py/tuple': unknown[] };
  expect(comparable(message.kwargs)).toEqual(comparable(expected['py/tuple'][1]));
});

test('two inputs share the one default volume of their class: py/id, numbered as jsonpickle does', async () => {
  const fixture = await read('g3.direct_docker_run.shared_default_volume');
  const ids = [...fixture.body.matchAll(/"_file_id": "([0-9a-f]{24})"/g)].map((match) => match[1] ?? '');
  const message = build(fixture, {
    spelling: 'docker',
    image: 'i:1',
    args: [
      { file: ids[0] ?? '', name: 'a' },
      { file: ids[1] ?? '', name: 'b' },
    ],
  });
  const expected = JSON.parse(fixture.body) as { 'py/tuple': [unknown, { container_args: unknown }] };
  // This one was published by a plugin that gives no pull_image: py/id does not depend on it.
  expect(comparable(message.kwargs['container_args'])).toEqual(
    comparable(expected['py/tuple'][1].container_args),
  );
});

test('docker_run has its image as positional argument', async () => {
  const fixture = await read('g3.direct_docker_run.tiny_download');
  const message = build(fixture, { spelling: 'dockerRun', image: 'a/b:c', args: ['x', 3, true, null] });
  expect(message).toMatchObject({
    task: 'girder_worker.docker.tasks.docker_run',
    args: ['a/b:c'],
    kwargs: { container_args: ['x', 3, true, null] },
  });
  expect(message.kwargs).not.toHaveProperty('image');
});
