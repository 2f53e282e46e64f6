import { afterEach, describe, expect, it } from 'vitest';
import { apiUrl } from '../../../../src/doctor/checks/girder/api-url.js';
import { images, judgeImages } from '../../../../src/doctor/checks/girder/images.js';
import { plugins } from '../../../../src/doctor/checks/girder/plugins.js';
import { reach } from '../../../../src/doctor/checks/girder/reach.js';
import { judgeSettings, settings as girderSettings } from '../../../../src/doctor/checks/girder/settings.js';
import { judgeWorkerStatus } from '../../../../src/doctor/checks/girder/worker-status.js';
import { token } from '../../../../src/doctor/checks/girder/token.js';
import { ask, factOf, runContext, settingsWith } from '../../../support/doctor.js';
import { sendJson, startScriptedServer, type Script } from '../../../support/scripted-http.js';

let close: (() => Promise<void>) | null = null;

afterEach(async () => {
  await close?.();
  close = null;
});

const apiKey = 'K'.repeat(40);

async function girder(script: Script) {
  const server = await startScriptedServer(script);
  close = server.close;
  const url = `${server.origin}/api/v1`;
  return { ...server, url, settings: settingsWith({ 'girder.apiUrl': url, 'girder.apiKey': apiKey }) };
}

const noRoute = { type: 'rest', message: 'No matching route for "GET x"' };

const reached = (url: string) => ({ 'girder.reach': { apiUrl: url, major: 3, skew: 0 } });

const keyed =
  (admin: boolean): Script =>
  (response, { path }) =>
    path.endsWith('/api_key/token')
      ? sendJson(response, { authToken: { token: 'T'.repeat(64), scope: ['core.user_auth'], expires: '' } })
      : sendJson(response, { login: 'op', admin });

const published = (url: string | null) => ({
  'girder.settings': { theirs: { 'worker.api_url': url }, changes: [], admin: {} },
});

describe('girder.reach', () => {
  it.each([
    ['3', '3.2.8', 'ok', 'Girder 3.2.8', null],
    ['5', '5.0.1', 'ok', 'Girder 5.0.1', null],
    ['2', '2.5.0', 'fail', 'is not supported', 'Use Girder 3 or 5.'],
  ])('Girder %s', async (_name, release, status, evidence, fix) => {
    const { settings } = await girder((response) => sendJson(response, { release }));
    const result = await ask(reach, { settings });
    expect(result).toMatchObject({ status, evidence: [expect.stringContaining(evidence)], fix });
  });

  it('is skipped without an address', async () => {
    expect(await ask(reach)).toMatchObject({ status: 'skip' });
  });

  it('fails if nothing listens, and suggests a command', async () => {
    const settings = settingsWith({ 'girder.apiUrl': 'http://127.0.0.1:1/api/v1' });
    expect(await ask(reach, { settings })).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('curl -sS http://127.0.0.1:1/api/v1/system/version'),
    });
  });

  it('fails if something else answers', async () => {
    const { settings } = await girder((response) => response.end('<html>Welcome</html>'));
    expect(await ask(reach, { settings })).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('config set girder.apiUrl'),
    });
  });

  it('fails within its time limit if there is no answer', async () => {
    const { settings } = await girder(() => undefined);
    const result = await ask(reach, { settings });
    expect(result).toMatchObject({ status: 'fail', fix: expect.stringContaining('curl') });
    expect(result.ms).toBeLessThan(5_500);
  }, 10_000);

  it("reports the skew of Girder's clock", async () => {
    const { settings } = await girder((response) => {
      response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
      sendJson(response, { release: '3.2.8' });
    });
    const { skew } = (await factOf(reach, { settings })) as { skew: number };
    expect(skew).toBeGreaterThan(3_590);
  });
});

describe('girder.token', () => {
  it.each([
    ['an administrator', true, 'ok', 'user op, an administrator', null],
    ['anybody', false, 'warn', 'Only an administrator', 'config set girder.apiKey -'],
  ])('of %s', async (_name, admin, status, evidence, fix) => {
    const { settings, url, heard } = await girder(keyed(admin));
    const result = await ask(token, { settings }, reached(url));
    expect(result.status).toBe(status);
    expect(result.evidence.join()).toContain(evidence);
    if (fix === null) expect(result.fix).toBeNull();
    else expect(result.fix).toContain(fix);
    expect(JSON.stringify(result)).not.toMatch(/KKKK|TTTT/);
    expect(heard[0]?.query.size).toBe(0);
    expect(heard[0]?.body.toString()).toContain(`key=${apiKey}`);
  });

  it('fails if it is rejected', async () => {
    const { settings, url } = await girder((response) =>
      sendJson(response, { type: 'rest', message: 'Invalid API key.' }, 400),
    );
    expect(await ask(token, { settings }, reached(url))).toMatchObject({
      status: 'fail',
      evidence: ['Girder rejected the API key: Invalid API key.'],
      fix: expect.stringContaining('config set girder.apiKey -'),
    });
  });

  it('is skipped if it is not set', async () => {
    expect(await ask(token, {}, reached('http://x'))).toMatchObject({ status: 'skip' });
  });
});

const admin = (url: string, changes: object = {}) => ({
  'girder.token': { apiUrl: url, major: 3, skew: 0, token: 'T'.repeat(64), isAdmin: true, ...changes },
});

describe('girder.plugins', () => {
  it('are installed', async () => {
    const { url } = await girder((response) => sendJson(response, []));
    expect(await ask(plugins, {}, admin(url))).toMatchObject({ status: 'ok' });
  });

  it.each([
    ['jobs', /job\/typeandstatus$/, 'girder-jobs'],
    ['slicer_cli_web', /slicer_cli_web\/cli$/, 'girder-slicer-cli-web[girder]'],
  ])('%s is missing', async (name, pattern, install) => {
    const { url } = await girder((response, { path }) =>
      pattern.test(path) ? sendJson(response, noRoute, 400) : sendJson(response, []),
    );
    expect(await ask(plugins, {}, admin(url))).toMatchObject({
      status: 'fail',
      evidence: [expect.stringContaining(`lacks the plugin ${name}`), expect.anything()],
      fix: expect.stringContaining(install),
    });
  });
});

describe('girder.settings', () => {
  const ours = settingsWith({
    'broker.url': 'amqp://girder:geheim@localhost:5672/dsa',
    'girder.apiUrl': 'http://g/api/v1',
  });
  const good = {
    'worker.broker': 'amqp://girder:geheim@rabbitmq:5673/dsa',
    'worker.backend': 'rpc://girder:geheim@rabbitmq/dsa',
    'worker.api_url': 'http://g/api/v1',
    'worker.direct_path': false,
  };
  const fix = 'dsa-slurm --profile lab doctor --fix --only girder.settings';
  it.each([
    ['all well', {}, 'ok', 'worker.broker matches broker.url', []],
    [
      'password',
      { 'worker.broker': 'amqp://girder:falsch@rabbitmq:5673/dsa' },
      'fail',
      'a different password',
      [['worker.broker', 'amqp://girder:geheim@rabbitmq:5673/dsa']],
    ],
    [
      'user',
      { 'worker.broker': 'amqp://guest:geheim@rabbitmq:5673/dsa' },
      'fail',
      'user "guest" there, "girder" here',
      [['worker.broker', 'amqp://girder:geheim@rabbitmq:5673/dsa']],
    ],
    [
      'vhost',
      { 'worker.broker': 'amqp://girder:geheim@rabbitmq:5673/' },
      'fail',
      'virtual host "/" there, "dsa" here',
      [['worker.broker', 'amqp://girder:geheim@rabbitmq:5673/dsa']],
    ],
    [
      'not set',
      { 'worker.broker': null },
      'fail',
      'not set',
      [['worker.broker', 'amqp://girder:geheim@localhost:5672/dsa']],
    ],
    [
      'no address',
      { 'worker.broker': 'redis://x' },
      'fail',
      'not an AMQP URL',
      [['worker.broker', 'amqp://girder:geheim@localhost:5672/dsa']],
    ],
    [
      'backend',
      { 'worker.backend': 'redis://x' },
      'warn',
      'worker.backend is not an rpc://',
      [['worker.backend', 'rpc://girder:geheim@rabbitmq:5673/dsa']],
    ],
    [
      'backend that Celery 5 has no more',
      { 'worker.backend': 'amqp://girder:geheim@rabbitmq:5673/dsa' },
      'warn',
      'worker.backend is not an rpc://',
      [['worker.backend', 'rpc://girder:geheim@rabbitmq:5673/dsa']],
    ],
    [
      'API URL',
      { 'worker.api_url': '' },
      'warn',
      'worker.api_url is not set',
      [['worker.api_url', 'http://g/api/v1']],
    ],
  ])('%s', (_name, changes, status, evidence, wanted) => {
    const { finding, changes: found } = judgeSettings({ ...good, ...changes }, ours, {
      major: 3,
      profile: 'lab',
    });
    expect(finding.status).toBe(status);
    expect(finding.evidence.join('\n')).toContain(evidence);
    expect(finding.fix).toBe(status === 'ok' ? undefined : fix);
    expect(found.map(({ key, value }) => [key, value])).toEqual(wanted);
    expect(JSON.stringify(finding)).not.toMatch(/geheim|falsch/);
  });

  it('requires direct paths on both sides', () => {
    const direct = settingsWith({ 'broker.url': ours.broker.url, 'girder.directPaths': true });
    expect(judgeSettings(good, direct, { major: 3, profile: 'lab' })).toMatchObject({
      finding: { status: 'warn', fix },
      changes: [{ key: 'worker.direct_path', value: 'true' }],
    });
  });

  it('does not check the broker of Girder 5', () => {
    expect(
      judgeSettings({ 'worker.api_url': 'http://g/api/v1' }, ours, { major: 5, profile: 'lab' }),
    ).toMatchObject({
      finding: { status: 'ok' },
      changes: [],
    });
  });

  it("reads Girder's settings, and changes those that differ through REST", async () => {
    const stored: Record<string, unknown> = {
      ...good,
      'worker.broker': 'amqp://guest:guest@rabbitmq:5672//',
    };
    const { url, heard } = await girder((response, { method, body }) => {
      if (method === 'GET') return sendJson(response, stored);
      const form = new URLSearchParams(body.toString());
      stored[form.get('key') ?? ''] = form.get('value');
      return sendJson(response, true);
    });
    const context = { settings: ours };
    expect(await ask(girderSettings, context, admin(url))).toMatchObject({ status: 'fail' });
    const repairs =
      girderSettings.repairs?.(runContext(context), await factOf(girderSettings, context, admin(url))) ?? [];
    expect(repairs.map(({ what }) => what)).toEqual([
      'set worker.broker in Girder to amqp://girder:***@rabbitmq:5672/dsa',
    ]);
    for (const repair of repairs) await repair.apply();
    expect(await ask(girderSettings, context, admin(url))).toMatchObject({ status: 'ok' });
    expect(heard.every(({ headers }) => headers['girder-token'] === 'T'.repeat(64))).toBe(true);
  });

  it("is skipped without an administrator's key", async () => {
    expect(await ask(girderSettings, {}, admin('http://x', { isAdmin: false }))).toMatchObject({
      status: 'skip',
    });
  });

  it('warns if Girder lacks these settings', async () => {
    const { url } = await girder((response) =>
      sendJson(response, { type: 'validation', message: 'Invalid setting key' }, 400),
    );
    expect(await ask(girderSettings, {}, admin(url))).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('plugin "worker"'),
    });
  });
});

describe('girder.api-url', () => {
  it('tests the address that tasks have', async () => {
    const { url } = await girder((response) => sendJson(response, { release: '3.2.8' }));
    expect(await ask(apiUrl, {}, published(url))).toMatchObject({ status: 'ok' });
    expect(await ask(apiUrl, {}, published('http://127.0.0.1:1/api/v1'))).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('config set girder.apiUrlMap http://127.0.0.1:1='),
    });
    expect(await ask(apiUrl, {}, published(''))).toMatchObject({ status: 'skip' });
    const own = settingsWith({ 'girder.apiUrl': 'http://own/api/v1' });
    expect(await ask(apiUrl, { settings: own }, published(url))).toMatchObject({ status: 'ok' });
    // this worker does not need it, and everybody else does
    expect(await ask(apiUrl, { settings: own }, published('http://127.0.0.1:1/api/v1'))).toMatchObject({
      status: 'warn',
      evidence: [expect.stringContaining('this worker uses http://own/api/v1 instead')],
    });
  });
});

describe('girder.worker-status', () => {
  it.each([
    ['cannot reach its broker', -1, 5, 'fail', 'GIRDER_WORKER_BROKER'],
    ['cannot reach its broker (3)', -1, 3, 'fail', 'worker.broker'],
    ['sees our worker', { ping: { 'celery@us': [], 'local@girder': [] } }, 5, 'ok', undefined],
    ['sees others', { ping: { 'local@girder': [] } }, 5, 'warn', 'broker.url'],
    ['sees nobody', { ping: null }, 5, 'warn', 'broker.url'],
  ] as const)('Girder %s', (_name, status, major, expected, fix) => {
    const finding = judgeWorkerStatus(status, 'celery@us', major);
    expect(finding.status).toBe(expected);
    if (fix === undefined) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });
});

describe('an API key of limited scope', () => {
  it('warns, and skips the checks that need more', async () => {
    const { url, settings } = await girder((response, { path }) =>
      path.endsWith('/api_key/token')
        ? sendJson(response, { authToken: { token: 'T'.repeat(64), scope: ['core.data.read'] } })
        : sendJson(response, null),
    );
    expect(await ask(token, { settings }, reached(url))).toMatchObject({
      status: 'warn',
      evidence: [expect.stringContaining('limited scope: core.data.read')],
    });
    const limited = {
      'girder.token': { apiUrl: url, major: 5, token: 'T', isAdmin: false, isLimited: true },
    };
    for (const check of [plugins, images]) {
      expect(await ask(check, { settings }, { ...limited, 'images.files': [] })).toMatchObject({
        status: 'skip',
      });
    }
  });
});

describe('girder.images', () => {
  it.each([
    ['all here', ['a/b:v1'], ['a_b_v1.sif'], 'ok', 'Girder offers 1 image, of which 1 exist here', undefined],
    ['named', ['a/b:v1'], ['a_b_v1.sif', 'x.sif'], 'ok', 'a_b_v1.sif is a/b:v1', undefined],
    [
      'missing',
      ['a/b:v1'],
      [],
      'warn',
      'Girder offers a/b:v1, but a_b_v1.sif is missing',
      'dsa-slurm images pull a/b:v1',
    ],
    ['none offered', [], [], 'warn', 'Girder offers no image', 'admin page'],
    [
      'orphan',
      ['a/b:v1'],
      ['a_b_v1.sif', 'old_v1.sif'],
      'ok',
      'not offered by Girder: old_v1.sif',
      undefined,
    ],
  ])('%s', (_name, offered, files, status, evidence, fix) => {
    const finding = judgeImages(offered, files, { directory: '/i', profile: 'default' });
    expect(finding.status).toBe(status);
    expect(finding.evidence.join('\n')).toContain(evidence);
    if (fix === undefined) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  it('reads the images from Girder', async () => {
    const { url } = await girder((response) => sendJson(response, { 'a/b': { v1: {}, v2: {} } }));
    const settings = settingsWith({ 'dirs.images': '/i' });
    const facts = { ...admin(url), 'images.files': ['a_b_v1.sif'] };
    expect(await ask(images, { settings }, facts)).toMatchObject({
      status: 'warn',
      fix: 'dsa-slurm --profile lab images pull a/b:v2',
    });
  });
});
