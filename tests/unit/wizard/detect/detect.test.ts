import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/base/clock.js';
import type { RunCommand } from '../../../../src/base/command.js';
import type { Prompter } from '../../../../src/wizard/flow/prompter.js';
import { detect } from '../../../../src/wizard/detect/detect.js';
import { readGpus } from '../../../../src/wizard/detect/cluster.js';
import { checkGirderSettings } from '../../../../src/wizard/girder-settings.js';
import { answersOfProfile, inferBase } from '../../../../src/wizard/flow/previous-answers.js';
import { detectionText } from '../../../../src/wizard/flow/output.js';
import type { InitAnswers } from '../../../../src/wizard/init-answers.js';
import { openAnswerStore } from '../../../../src/wizard/flow/answer-store.js';
import { openSiteProbes } from '../../../../src/wizard/detect/open-site-probes.js';
import { startFlow } from '../../../../src/wizard/flow/question-flow.js';
import { openSite } from '../support.js';

const nothing: RunCommand = () => Promise.resolve({ kind: 'missing', reason: 'ENOENT', ms: 1 });

const never: RunCommand = () => new Promise(() => undefined);

const printed =
  (answers: Record<string, string>): RunCommand =>
  (file, args) => {
    const line = [file, ...args].join(' ');
    const found = Object.entries(answers).find(([start]) => line.startsWith(start));
    return Promise.resolve(
      found === undefined
        ? { kind: 'missing', reason: 'ENOENT', ms: 1 }
        : { kind: 'exited', exitCode: 0, stdout: found[1], stderr: '', ms: 1 },
    );
  };

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-wizard-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const around = (run: RunCommand, listens: boolean, limitMs = 5_000) =>
  detect({
    run,
    env: { HOME: dir, USER: 'ada' },
    clock: systemClock,
    limitMs,
    probes: { ...openSite(), listens: () => Promise.resolve(listens) },
  });

describe('detect', () => {
  it('prints a reason for everything that was not found', async () => {
    const detection = await around(nothing, false);
    const { user, ...rest } = detection;
    expect(user.uid).toBe(process.getuid?.());
    expect(Object.values(rest).filter(({ found }) => found)).toEqual([]);
    expect(detectionText(detection).match(/not found: \S/g)?.length).toBe(10);
  });

  it('finds everything on a cluster', async () => {
    const run = printed({
      'scontrol show config':
        'SLURM_VERSION = 24.11.1\nClusterName = hpc\nAccountingStorageType = accounting_storage/slurmdbd\n',
      'sinfo --noheader --format=%R|%G': 'main|(null)\ngpu|gpu:a100:4(S:0-1),lustre:1\n',
      'sinfo ': 'main*\u001Fup\u001F1-00:00:00\u001F4\n',
      'sacctmgr --noheader --parsable2 --readonly show user ada withassoc cluster=hpc': 'lab\n',
      'sacctmgr --noheader --parsable2 --readonly show assoc user=ada cluster=hpc': 'other|\nlab|normal\n',
      'singularity --version': 'singularity-ce version 4.1.0\n',
      'systemctl --user is-system-running': 'degraded\n',
    });
    const detection = await around(run, true);
    expect(detection).toMatchObject({
      slurm: { value: { version: '24.11.1', partitions: [{ name: 'main', isDefault: true }] } },
      association: { value: { account: 'lab', qos: 'normal', accounts: ['other', 'lab'] } },
      gpus: { value: [{ partition: 'gpu', gres: 'gpu:a100:4' }] },
      apptainer: { value: { command: 'singularity', version: '4.1.0' } },
      rabbitmq: { value: { port: 5672 } },
      girder: { value: { apiUrl: 'http://localhost:8080/api/v1', major: 5 } },
      systemd: { found: true },
    });
  });

  it('is not delayed by commands that hang', async () => {
    const started = performance.now();
    const detection = await around(never, false, 200);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(detection.slurm).toEqual({ found: false, reason: 'no answer in time' });
  });

  it.each([
    [
      ['a|gpu:2', 'a|gpu:a100:8', 'b|(null)', 'c|lustre:1,gpu:v100:1(S:0,1)'],
      ['a gpu:2', 'c gpu:v100:1'],
    ],
    [['a|craynetwork:4', 'a|gpus:1'], []],
    [[''], []],
  ])('reads the generic resources %j', (rows, expected) => {
    expect(readGpus(rows).map(({ partition, gres }) => `${partition} ${gres}`)).toEqual(expected);
  });
});

describe('stored answers', () => {
  it('are private to the operator, and a damaged file counts as missing', async () => {
    const store = openAnswerStore(dir, 'default');
    expect(await store.progress()).toBeNull();
    await store.saveProgress({
      ...startFlow({ base: '/a' }),
      steps: [{ key: 'base', asked: true, before: {} }],
    });
    expect((await stat(store.progressPath)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'init'))).mode & 0o777).toBe(0o700);
    expect((await store.progress())?.steps).toHaveLength(1);
    await writeFile(store.progressPath, '{"draft": 1');
    expect(await store.progress()).toBeNull();
    await store.saveAnswers({ draft: { base: '/a' }, accepted: ['local:/', 'broker:x:1'] });
    expect(await store.answers()).toEqual({ draft: { base: '/a' }, accepted: ['local:/'] });
  });

  it('come from the profile, which may have been edited', async () => {
    const content = {
      broker: { url: 'amqps://u:p%2Fw@rabbit/v' },
      worker: { executor: 'local', localJobs: 3 },
      girder: { caFile: '/s/ca.pem' },
      dirs: { tmp: '/s/tmp', logs: '/s/logs' },
      slurm: { cpus: 4, submitScript: '/s/x.slurm' },
    };
    await writeFile(join(dir, 'default.json'), JSON.stringify(content), { mode: 0o600 });
    expect(inferBase(answersOfProfile(dir, 'default'))).toEqual({
      base: '/s',
      worker: { executor: 'local', localJobs: 3 },
      girder: { caFile: '/s/ca.pem' },
      broker: { host: 'rabbit', port: 5671, vhost: 'v', user: 'u', password: 'p/w', tls: true },
      dirs: { tmp: '/s/tmp', logs: '/s/logs', submitScript: '/s/x.slurm' },
      slurm: { cpus: 4 },
    });
  });
});

describe('Girder’s settings', () => {
  it('are printed without passwords, and changed after confirmation', async () => {
    const requests: string[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = new URLSearchParams(Buffer.concat(chunks).toString());
        const path = `${request.method} ${request.url?.split('?')[0]}`;
        requests.push(`${path} ${body.toString()}`);
        const answers: Record<string, unknown> = {
          'POST /api/v1/api_key/token': { authToken: { token: 'secret-token', scope: [] } },
          'GET /api/v1/user/me': { login: 'admin', admin: true },
          'GET /api/v1/system/setting': {
            'worker.broker': 'amqp://guest:other-one@rabbitmq/',
            'worker.backend': '',
          },
          'PUT /api/v1/system/setting': true,
        };
        response.end(JSON.stringify(answers[path] ?? null));
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
    const printed: string[] = [];
    const prompter = {
      print: (text = '') => void printed.push(text),
      confirm: () => Promise.resolve(true),
    } as Partial<Prompter> as Prompter;
    const answers: InitAnswers = {
      profile: 'default',
      worker: { executor: 'slurm', localJobs: null },
      dirs: { tmp: '/s/tmp', logs: '/s/logs', images: '/s/images', submitScript: '/s/x.slurm' },
      slurm: {},
      apptainer: { command: 'apptainer' },
      broker: { host: 'localhost', port: 5672, vhost: '/', user: 'dsa', password: 'hush-hush', tls: false },
      girder: { apiUrl, apiKey: 'keyOfAdmin'.repeat(4), caFile: null, major: 3 },
      mongo: { uri: null },
      deployment: null,
      service: 'script',
    };
    await checkGirderSettings(answers, openSiteProbes({ run: nothing }), prompter);
    server.close();
    server.closeAllConnections();
    const text = printed.join('\n');
    expect(text).toContain('worker.broker');
    expect(text).toContain('guest:***@rabbitmq');
    for (const secret of ['hush-hush', 'other-one', 'secret-token', 'keyOfAdmin']) {
      expect(text).not.toContain(secret);
    }
    const set = requests.filter((line) => line.startsWith('PUT')).map((line) => decodeURIComponent(line));
    expect(set).toContain(
      'PUT /api/v1/system/setting key=worker.broker&value=amqp://dsa:hush-hush@rabbitmq/',
    );
    expect(set.join('\n')).toContain(`key=worker.api_url&value=${apiUrl}`);
  });
});
