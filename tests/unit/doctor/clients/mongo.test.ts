import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Long, ObjectId } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import {
  database,
  judgeCollections,
  open,
  settings as storedSettings,
} from '../../../../src/doctor/checks/mongo/database.js';
import { jobs, judgeJobs } from '../../../../src/doctor/checks/mongo/jobs.js';
import { judgeVersion, ping } from '../../../../src/doctor/checks/mongo/ping.js';
import { databaseName, hostsOf, withoutCredentials } from '../../../../src/doctor/clients/mongo.js';
import { ask, exited, fakeRun, settingsWith } from '../../../support/doctor.js';
import { startMongoDouble, type MongoScript } from '../../../support/mongo-double.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A fake server with Girder's collections. */
const girderDatabase: MongoScript = (command, name) => {
  switch (name) {
    case 'ping':
      return {};
    case 'buildInfo':
      return { version: '6.0.1' };
    case 'listCollections':
      return cursor(['job', 'setting', 'user'].map((one) => ({ name: one, type: 'collection' })));
    case 'find':
      return cursor(
        command['find'] === 'setting'
          ? [{ key: 'worker.broker', value: 'amqp://guest:guest@rabbitmq/' }]
          : [],
      );
    default:
      throw { code: 59, codeName: 'CommandNotFound', errmsg: `no such command: ${name}` };
  }
};

function cursor(firstBatch: object[]) {
  return { cursor: { id: Long.ZERO, ns: 'girder.x', firstBatch } };
}

async function serve(script: MongoScript, credentials = '') {
  const double = await startMongoDouble(script);
  closers.push(double.close);
  const uri = `mongodb://${credentials}127.0.0.1:${double.port}/girder`;
  return { double, uri, settings: settingsWith({ 'mongo.uri': uri }) };
}

const unauthorized = { code: 18, codeName: 'AuthenticationFailed', errmsg: 'Authentication failed.' };

const facts = (uri: string) => ({ 'mongo.ping': { uri, collections: [] } });

describe('mongo.ping', () => {
  it('is skipped if it is not configured', async () => {
    expect(await ask(ping)).toMatchObject({ status: 'skip' });
  });

  it('reports version and database', async () => {
    const { settings } = await serve(girderDatabase);
    expect(await ask(ping, { settings })).toMatchObject({
      status: 'ok',
      evidence: [expect.stringContaining('MongoDB 6.0.1 at 127.0.0.1:')],
    });
  });

  it('fails if the password is rejected', async () => {
    const { settings } = await serve(() => {
      throw unauthorized;
    }, 'girder:falsch@');
    const result = await ask(ping, { settings });
    expect(result).toMatchObject({
      status: 'fail',
      evidence: [expect.stringContaining('rejected the user or password')],
      fix: 'dsa-slurm --profile lab config set mongo.uri -',
    });
    expect(JSON.stringify(result)).not.toContain('falsch');
  });

  it('only warns if nothing listens, because the worker does not need MongoDB', async () => {
    const settings = settingsWith({ 'mongo.uri': 'mongodb://127.0.0.1:1/girder' });
    const result = await ask(ping, { settings });
    expect(result).toMatchObject({ status: 'warn', fix: expect.stringContaining('nc -vz 127.0.0.1 1') });
  });

  it('only warns about a port that never answers, within its time limit', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    closers.push(async () => void server.close());
    const { port } = server.address() as AddressInfo;
    const settings = settingsWith({ 'mongo.uri': `mongodb://127.0.0.1:${port}/girder` });
    const result = await ask(ping, { settings });
    expect(result.status).toBe('warn');
    expect(result.ms).toBeLessThan(4_500);
  }, 10_000);

  it('warns about an old version', () => {
    expect(judgeVersion('3.6.8', 'x')).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('Upgrade MongoDB'),
    });
  });
});

describe("Girder's database", () => {
  it("has Girder's collections", async () => {
    expect(
      await ask(
        database,
        {},
        { 'mongo.ping': { uri: 'mongodb://h/girder', collections: ['job', 'setting', 'user'] } },
      ),
    ).toMatchObject({ status: 'ok' });
    expect(judgeCollections(['user'], 'x')).toMatchObject({
      status: 'fail',
      evidence: [expect.stringContaining('no collection setting, job')],
      fix: expect.stringContaining('config set mongo.uri -'),
    });
    expect(await ask(database, {}, { 'mongo.ping': null })).toMatchObject({ status: 'skip' });
  });

  it('requires a password, or is open', async () => {
    const shut = await serve(() => {
      throw { code: 13, codeName: 'Unauthorized', errmsg: 'requires authentication' };
    });
    expect(await ask(open, {}, facts(shut.uri))).toMatchObject({
      status: 'ok',
      evidence: ['requires a password'],
    });
    // the double listens on the loopback address only
    const free = await serve(girderDatabase);
    expect(await ask(open, {}, facts(free.uri))).toMatchObject({
      status: 'ok',
      evidence: ['requires no password, but its port is closed to other hosts'],
    });
  });

  it("contains the worker's settings", async () => {
    const { settings } = await serve(girderDatabase);
    // its worker.api_url is not set
    expect(await ask(storedSettings, { settings })).toMatchObject({ status: 'warn' });
    const other = settingsWith({
      'mongo.uri': settings.mongo.uri,
      'broker.url': 'amqp://girder:geheim@localhost/',
    });
    const result = await ask(storedSettings, { settings: other });
    expect(result).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('doctor --fix --only girder.settings'),
    });
    expect(JSON.stringify(result)).not.toContain('geheim');
  });

  it('may lack the broker, on Girder 3 as well, which then has it in its environment', async () => {
    const { settings } = await serve((command, name) =>
      name === 'find'
        ? cursor([{ key: 'worker.api_url', value: 'http://girder/api/v1' }])
        : girderDatabase(command, name),
    );
    const { status, evidence } = await ask(storedSettings, { settings });
    expect(status).toBe('ok');
    expect(evidence.join('\n')).toContain('GIRDER_SETTING_WORKER_BROKER of Girder 3');
    expect(evidence.join('\n')).not.toContain('Girder 5 has');
  });
});

describe('mongo.jobs', () => {
  const record = { id: 'a'.repeat(24), title: 'Nuclei', celeryTaskId: 'task-1' };
  it.each([
    ['forgotten', [record], [], [], 'warn'],
    ['with a Slurm job', [record], ['task-1'], [], 'ok'],
    ['with a run', [record], [], ['task-1'], 'ok'],
    ['not from Celery', [{ ...record, celeryTaskId: null }], [], [], 'ok'],
    ['none', [], [], [], 'ok'],
  ])('%s', (_name, records, keys, runs, status) => {
    const finding = judgeJobs(records, new Set(keys), new Set(runs), 'mongodb://h/girder');
    expect(finding.status).toBe(status);
    if (status === 'warn') expect(finding.fix).toContain(`ObjectId("${record.id}")`);
  });

  it('compares the database with Slurm', async () => {
    const { settings } = await serve((command, name) =>
      name === 'find'
        ? cursor([{ _id: new ObjectId(), title: 'Nuclei\u001b[2J', celeryTaskId: 'task-1' }])
        : girderDatabase(command, name),
    );
    const facts = { 'worker.journal': { runs: [] } };
    const result = await ask(jobs, { settings, run: fakeRun({ squeue: exited('') }) }, facts);
    expect(result).toMatchObject({ status: 'warn', fix: expect.stringContaining('mongosh') });
    expect(result.evidence.join()).toContain('Nuclei?[2J');
    expect(await ask(jobs, { settings }, facts)).toMatchObject({ status: 'skip' });
    const here = { ...settings, worker: { ...settings.worker, executor: 'local' as const } };
    const run = fakeRun({});
    expect(await ask(jobs, { settings: here, run }, facts)).toMatchObject({ status: 'warn' });
    expect(run.lines).toEqual([]);
  });
});

describe('a MongoDB URI', () => {
  it.each([
    ['mongodb://localhost', 'girder', 'mongodb://localhost', [{ hostname: 'localhost', port: 27_017 }]],
    ['mongodb://u:p@h:1/db?authSource=admin', 'db', 'mongodb://h:1/db?', [{ hostname: 'h', port: 1 }]],
    [
      'mongodb://a:1,b:2/girder?replicaSet=x',
      'girder',
      'mongodb://a:1,b:2/girder?replicaSet=x',
      [
        { hostname: 'a', port: 1 },
        { hostname: 'b', port: 2 },
      ],
    ],
  ])('%s', (uri, name, bare, hosts) => {
    expect(databaseName(uri)).toBe(name);
    expect(withoutCredentials(uri)).toBe(bare);
    expect(hostsOf(uri)).toEqual(hosts);
  });
});
