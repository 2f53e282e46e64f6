import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Analysis } from '../../../../src/girder/protocol/analysis.js';
import { silentGirderJob } from '../../../../src/girder/jobs/job.js';
import { readAnalysis } from '../../../../src/girder/protocol/read-analysis.js';
import { checkToken } from '../../../../src/worker/stages/check-token.js';
import { beginRun } from '../../../../src/worker/run-state/run.js';
import { createTestSetup, sendJson, startScriptedServer } from '../../../support/scripted-http.js';
import { someTask } from '../../../support/tasks.js';
import { fixtureTask } from '../../girder/fixtures.js';

const hour = 60 * 60 * 1_000;

async function check(
  answer: (response: ServerResponse, now: number) => unknown,
  changes: Partial<Analysis> = {},
) {
  const setup = createTestSetup();
  const server = await startScriptedServer((response) => answer(response, setup.clock.now()));
  onTestFinished(async () => {
    await setup.connections.close();
    await server.close();
  });
  const task = someTask(fixtureTask('g3.direct_docker_run.example1_all.json'));
  const analysis = readAnalysis(task);
  const [hook] = analysis.hooks;
  if (hook === undefined) throw new Error('the fixture has outputs');
  const apiUrlMap = { [hook.access.apiUrl]: `${server.origin}/api/v1` };
  const message: string[] = [];
  const { signal } = new AbortController();
  const run = beginRun({ type: 'accepted', at: 0, task, refusal: null });
  const girderJob = { ...silentGirderJob(), log: (text: string) => void message.push(text) };
  const services = { log: setup.log, clock: setup.clock, girderSetup: () => ({ ...setup, apiUrlMap }) };
  const done = checkToken(
    run,
    { ...analysis, ...changes },
    { id: run.id, girderJob, signal, stopping: signal },
    services,
  );
  const failure = await done.then(
    () => null,
    (error: unknown) => (error as Error).message,
  );
  return { failure, message: message.join(''), heard: server.heard };
}

const token = (response: ServerResponse, facts: unknown): void => sendJson(response, facts);
const lives =
  (ms: number, scope = ['core.data.read', 'core.data.write']) =>
  (response: ServerResponse, now: number) =>
    token(response, {
      _id: 'SECRET',
      scope,
      expires: new Date(now + ms).toISOString().replace('Z', '000+00:00'),
    });

describe('the token for the outputs', () => {
  test('that has expired fails the run before it starts', async () => {
    const { failure, heard } = await check((response) => token(response, null));
    expect(failure).toMatch(/token for uploading the outputs has expired.*not started/);
    expect(heard.map(({ path }) => path)).toEqual(['/api/v1/token/current']);
  });

  test('without write access fails the run', async () => {
    const { failure } = await check(lives(hour, ['jobs.rest.create_job']));
    expect(failure).toMatch(/has no write access/);
  });

  test('that is valid for days is not mentioned', async () => {
    expect(await check(lives(100 * hour))).toMatchObject({ failure: null, message: '' });
    expect(await check(lives(100 * hour, ['core.user_auth']))).toMatchObject({ failure: null });
  });

  test('that expires within a day is mentioned in the log', async () => {
    const { failure, message } = await check(lives(5 * hour));
    expect(failure).toBeNull();
    expect(message).toMatch(/Outputs can be uploaded to Girder until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect(message).not.toContain('SECRET');
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['is away', (response) => response.socket?.destroy()],
    [
      'does not know the question',
      (response) => sendJson(response, { type: 'rest', message: 'No matching route' }, 400),
    ],
    ['says something else', (response) => sendJson(response, [1])],
    ['says no date', (response) => token(response, { expires: null })],
  ])('the run continues when Girder %s', async (_, answer) => {
    expect(await check(answer)).toMatchObject({ failure: null, message: '' });
  });

  test('is not checked if there is nothing to upload', async () => {
    expect((await check((response) => token(response, null), { hooks: [] })).heard).toEqual([]);
  });
});
