import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';
import * as z from 'zod';

import { images } from '../../../src/doctor/checks/girder/images.js';
import { plugins } from '../../../src/doctor/checks/girder/plugins.js';
import { reach } from '../../../src/doctor/checks/girder/reach.js';
import { settings as girderSettings } from '../../../src/doctor/checks/girder/settings.js';
import { loginWithApiKey } from '../../../src/girder/api/api-key.js';
import { createGirderClient } from '../../../src/girder/api/client.js';
import { findGirderJobOf } from '../../../src/girder/jobs/create-job.js';
import { jobDocument } from '../../../src/girder/api/documents.js';
import { ask, settingsWith } from '../../support/doctor.js';
import { sendJson } from '../../support/scripted-http.js';
import { setUp } from './girder-bench.js';

/** Responses of real servers (contract, section k). */
interface Captured {
  version: { release: string };
  jobs_all: { celeryTaskId: string; type: string; jobInfoSpec: { reference: string } }[];
  job_user_view: unknown[];
  job_admin_one: { _id: string };
  api_key_token: { authToken: { token: string } };
  setting_get: Record<string, unknown>;
  setting_bad: unknown;
  [name: string]: unknown;
}

const apiKey = 'K'.repeat(40);
const never = new AbortController().signal;

/** A server that replays the recorded response. */
async function girder(name: string) {
  const file = new URL(`../../fixtures/contract/rest/${name}.rest_answers.json`, import.meta.url);
  const captured = JSON.parse(readFileSync(file, 'utf8')) as Captured;
  const answers: Record<string, unknown> = {
    'GET /system/version': captured.version,
    'POST /api_key/token': captured.api_key_token,
    'GET /system/setting': captured.setting_get,
    'GET /job/all': captured.jobs_all,
    'GET /job/typeandstatus': captured['typeandstatus'],
    'GET /slicer_cli_web/cli': captured['cli'],
    'GET /slicer_cli_web/docker_image': captured['docker_image'],
  };
  const { origin, setup } = await setUp((response, { method, path }) => {
    if (method === 'PUT') return sendJson(response, captured.setting_bad, 400);
    const answer = answers[`${method} ${path.replace('/api/v1', '')}`];
    sendJson(response, answer ?? { type: 'rest', message: 'No matching route for it' }, answer ? 200 : 404);
  });
  const apiUrl = `${origin}/api/v1`;
  const client = createGirderClient({ ...setup, apiUrl, token: null });
  const settings = settingsWith({
    'girder.apiUrl': apiUrl,
    'girder.apiKey': apiKey,
    'broker.url': 'amqp://guest:guest@rabbitmq.example:5672//',
  });
  const major = Number(captured.version.release[0]);
  const admin = { apiUrl, major, token: captured.api_key_token.authToken.token, isAdmin: true };
  return { captured, client, settings, facts: { 'girder.token': admin, 'images.files': [] } };
}

describe.each(['g3', 'g5'])('the answers of a real Girder (%s)', (name) => {
  it('are read as Girder jobs', async () => {
    const { captured } = await girder(name);
    for (const job of captured.jobs_all) expect(jobDocument.parse(job).handler).not.toBe('');
    expect(jobDocument.parse(captured.job_admin_one)).toMatchObject({
      status: 0,
      handler: 'celery_handler',
      title: 'Tiny CLI on second.txt',
    });
  });

  it('name the Girder job of a task to an administrator', async () => {
    const { captured, client } = await girder(name);
    for (const { celeryTaskId: taskId, type, jobInfoSpec } of captured.jobs_all) {
      if (taskId === undefined) continue;
      expect(await findGirderJobOf(client, { taskId, type }, never)).toMatchObject({
        id: jobInfoSpec.reference,
      });
    }
    expect(await findGirderJobOf(client, { taskId: 'another', type: '' }, never)).toBeNull();
  });

  it('contain a token for an API key, and the name of the invalid field of a setting', async () => {
    const { captured, client } = await girder(name);
    expect(await loginWithApiKey(client, { apiKey, days: 1 })).toMatchObject({
      token: captured.api_key_token.authToken.token,
    });
    const put = {
      method: 'PUT',
      path: 'system/setting',
      form: { key: 'worker.api_url', value: 'x' },
      attempts: 1,
    };
    await expect(client.json(z.unknown(), put)).rejects.toMatchObject({
      kind: 'refused',
      field: 'value',
      girderMessage: 'API URL must start with http:// or https://.',
    });
  });

  it('satisfy the checks of doctor', async () => {
    const { captured, settings, facts } = await girder(name);
    const version = await ask(reach, { settings });
    expect(version).toMatchObject({ status: 'ok' });
    expect(version.evidence.join()).toContain(captured.version.release);
    expect(await ask(plugins, { settings }, facts)).toMatchObject({ status: 'ok' });
    const offered = await ask(images, { settings }, facts);
    expect(offered.evidence.join()).toContain('Girder offers example/small:v1');
    const told = await ask(girderSettings, { settings }, facts);
    expect(told.status).not.toBe('skip');
    expect(told.evidence.join()).not.toMatch(/answered|could not/);
  });
});
