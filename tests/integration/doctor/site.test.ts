import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect } from '../../../src/celery/amqp/amqplib.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRunner } from '../../../src/base/command.js';
import type { CheckResult, RunContext } from '../../../src/doctor/check.js';
import { allChecks, checkById, createRunContext, runChecks } from '../../../src/doctor/index.js';
import { probeSharedDirectories, type ProbeWaiting } from '../../../src/doctor/probe/probe-job.js';
import { readBrokerUrl } from '../../../src/celery/amqp/broker-url.js';
import { ask, settingsWith } from '../../support/doctor.js';
import { openLab, type Lab } from '../../support/lab.js';
import { startProgram } from '../../support/program.js';
import { testSite } from '../../support/test-site.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => lab.close());

/** Settings for the lab, with some changes. */
function context(flags: Record<string, unknown> = {}, changes: Partial<RunContext> = {}): RunContext {
  const { broker, dirs, slurm, apptainer, worker } = lab.settings;
  const settings = settingsWith({
    'broker.url': broker.url,
    'broker.queues': broker.queues,
    'dirs.tmp': dirs.tmp,
    'dirs.logs': dirs.logs,
    'dirs.images': dirs.images,
    'dirs.state': dirs.state,
    'slurm.pollSeconds': slurm.pollSeconds,
    'apptainer.command': apptainer.command,
    'worker.name': worker.name,
    ...flags,
  });
  return createRunContext({ profile: 'lab', settings, env: environment(testSite().slurmConf), ...changes });
}

function environment(conf: string): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], HOME: lab.dir, LANG: 'C.UTF-8', SLURM_CONF: conf };
}

async function one(id: string, from: RunContext): Promise<CheckResult> {
  const results = await runChecks([checkById(id)], from);
  const found = results.find((result) => result.id === id);
  if (found === undefined) throw new Error(`no result of ${id}`);
  return found;
}

/** The broker's URL with some parts replaced. */
function brokerUrl(changes: { user?: string; password?: string; host?: string; vhost?: string }): string {
  const { connect: options, user } = readBrokerUrl(testSite().amqpUrl);
  const host = changes.host ?? `${options.hostname}:${options.port}`;
  return `amqp://${changes.user ?? user}:${changes.password ?? options.password}@${host}/${changes.vhost ?? ''}`;
}

async function rabbitmqctl(...args: string[]): Promise<void> {
  const run = createRunner({ env: { ...process.env, ...testSite().rabbitmqEnv } });
  const result = await run(testSite().rabbitmqctl, args);
  if (result.kind !== 'exited' || result.exitCode !== 0) throw new Error(JSON.stringify(result));
}

/** A port that accepts connections and never sends anything. */
async function blackHole(): Promise<{ host: string; mostAtOnce: () => number; close: () => void }> {
  const sockets = new Set<Socket>();
  let mostAtOnce = 0;
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    mostAtOnce = Math.max(mostAtOnce, sockets.size);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    mostAtOnce: () => mostAtOnce,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('a healthy site', () => {
  it('fails nothing', async () => {
    const results = await runChecks(allChecks, context());
    expect(results.filter(({ status }) => status === 'fail')).toEqual([]);
    const status = Object.fromEntries(results.map((result) => [result.id, result.status]));
    expect(status).toMatchObject({
      'slurm.submit': 'ok',
      'slurm.partitions': 'ok',
      'rabbitmq.permissions': 'ok',
      'rabbitmq.transient-queues': 'ok',
      'rabbitmq.queues': 'ok',
      'celery.ping': 'ok',
      'celery.other-consumers': 'ok',
      'images.contents': 'ok',
      'worker.running': 'ok',
      'worker.data': 'ok',
      'worker.journal': 'ok',
    });
  });

  it('leaves nothing behind in the state directory or in RabbitMQ', async () => {
    // the worker periodically writes its status to a temporary file next to the old one
    const look = async () =>
      (await readdir(lab.settings.dirs.state)).filter((name) => !name.endsWith('.tmp'));
    const before = await look();
    await runChecks(allChecks, context());
    expect(await look()).toEqual(before);
    const connection = await connect(testSite().amqpUrl);
    const channel = await connection.createChannel();
    await channel.checkQueue(lab.settings.broker.queues[0] ?? '');
    await connection.close();
  });

  it('is seen from its compute nodes, and carries a task there and back', async () => {
    const deep = context({}, { deep: true });
    const probe = await one(
      'directories.probe',
      context({ 'girder.apiUrl': lab.girder.apiUrl }, { deep: true }),
    );
    expect(probe).toMatchObject({ status: 'ok' });
    expect(probe.evidence.join('\n')).toMatch(/answered after .* as uid \d+; apptainer version 1\.3\.4-fake/);
    expect(probe.evidence.join('\n')).toContain('a container of test_image_v1.sif started on ');
    expect(probe.evidence.join('\n')).toMatch(/ reaches (Girder: |the port of )http:/);
    for (const directory of ['tmp', 'logs', 'images'])
      expect(probe.evidence.join('\n')).toContain(join(lab.dir, directory));
    expect(await readdir(lab.settings.dirs.tmp)).toEqual([]);
    // the next run that submits no job does not doubt it
    const known = await one('directories.tmp', context());
    expect(known.evidence.join('\n')).toMatch(/tmp: used by \S+ \(partition \w+\) on \d{4}-\d\d-\d\d/);
    expect(known.evidence.join('\n')).not.toContain('local file system');
    expect(await one('celery.round-trip', deep)).toMatchObject({
      status: 'ok',
      evidence: [expect.stringMatching(/was answered after \d+ ms$/)],
    });
    // neither the console nor the journal shows it
    expect(lab.worker.handle.snapshot().runs).toEqual([]);
    expect(await one('worker.journal', deep)).toMatchObject({
      evidence: [expect.stringContaining('0 runs, 0 not finished')],
    });
    expect(await one('images.contents', deep)).toMatchObject({
      status: 'ok',
      evidence: expect.arrayContaining([
        expect.stringMatching(/^test_image_v1\.sif: starts, its entry point .* exists$/),
      ]),
    });
  });
});

describe('Girder', () => {
  it('is reached, and its clock agrees', async () => {
    const girder = context({ 'girder.apiUrl': lab.girder.apiUrl });
    expect(await one('host.clock-girder', girder)).toMatchObject({ status: 'ok' });
    expect(await one('girder.reach', girder)).toMatchObject({
      status: 'ok',
      evidence: [`Girder 3.2.99 at ${lab.girder.apiUrl}`],
    });
  });

  it('refuses an API key', async () => {
    const girder = context({ 'girder.apiUrl': lab.girder.apiUrl, 'girder.apiKey': 'x'.repeat(40) });
    expect(await one('girder.token', girder)).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('config set girder.apiKey -'),
    });
  });
});

describe('RabbitMQ', () => {
  it.each([
    [
      'a wrong password',
      { password: 'not-the-password' },
      /refused the user/,
      'user and password in the broker URL',
    ],
    ['a virtual host that is not there', { vhost: 'nowhere' }, /no virtual host "nowhere"/, 'virtual host'],
    [
      'a port where nothing listens',
      { host: '127.0.0.1:1' },
      /Nothing listens at 127\.0\.0\.1:1/,
      'Start RabbitMQ',
    ],
  ])('%s', async (_name, changes, evidence, fix) => {
    const url = brokerUrl({ user: 'doctor', password: 'doctors-own', ...changes });
    await rabbitmqctl('add_user', 'doctor', 'doctors-own').catch(() => undefined);
    const results = await runChecks([checkById('rabbitmq.permissions')], context({ 'broker.url': url }));
    const [connection, permissions] = results;
    expect(connection).toMatchObject({
      id: 'rabbitmq.connect',
      status: 'fail',
      fix: expect.stringContaining(fix),
    });
    expect(connection?.evidence.join()).toMatch(evidence);
    expect(permissions).toMatchObject({ status: 'skip', evidence: ['needs rabbitmq.connect, which failed'] });
    expect(JSON.stringify(results)).not.toContain('not-the-password');
  });

  it('a user without permissions', async () => {
    await rabbitmqctl('add_user', 'timid', 'timid-one');
    await rabbitmqctl('set_permissions', '-p', '/', 'timid', '^$', '^$', '^$');
    const timid = context({ 'broker.url': brokerUrl({ user: 'timid', password: 'timid-one' }) });
    expect(await one('rabbitmq.permissions', timid)).toMatchObject({
      status: 'fail',
      fix: 'Grant it access: rabbitmqctl set_permissions -p "/" "timid" ".*" ".*" ".*"',
    });
  });

  it('a policy that takes messages away', async () => {
    const { user } = readBrokerUrl(testSite().amqpUrl);
    await rabbitmqctl('add_vhost', 'leaky');
    await rabbitmqctl('set_permissions', '-p', 'leaky', user, '.*', '.*', '.*');
    await rabbitmqctl('set_policy', '-p', 'leaky', 'none', '.*', '{"max-length": 0}');
    expect(
      await one('rabbitmq.permissions', context({ 'broker.url': brokerUrl({ vhost: 'leaky' }) })),
    ).toMatchObject({
      status: 'fail',
      evidence: [expect.stringContaining('published in leaky was confirmed, but did not arrive')],
      fix: expect.stringContaining('rabbitmqctl list_policies -p leaky'),
    });
  });

  it('queues of remote control that are refused', async () => {
    // RabbitMQ 3.10 has no setting to refuse transient queues as 4.3 does; a limit on queues refuses this one, too
    await rabbitmqctl('add_vhost', 'tight');
    await rabbitmqctl(
      'set_permissions',
      '-p',
      'tight',
      readBrokerUrl(testSite().amqpUrl).user,
      '.*',
      '.*',
      '.*',
    );
    await rabbitmqctl('set_vhost_limits', '-p', 'tight', '{"max-queues": 0}');
    const tight = context({ 'broker.url': brokerUrl({ vhost: 'tight' }) });
    expect(await ask(checkById('rabbitmq.transient-queues'), tight)).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('deprecated_features.permit.transient_nonexcl_queues = true'),
    });
    expect(await one('rabbitmq.permissions', tight)).toMatchObject({ status: 'fail' });
  });

  it('a port that never answers', async () => {
    const hole = await blackHole();
    try {
      const result = await one('rabbitmq.connect', context({ 'broker.url': `amqp://a:b@${hole.host}/` }));
      expect(result).toMatchObject({
        status: 'fail',
        evidence: [expect.stringContaining('does not answer')],
      });
    } finally {
      hole.close();
    }
  });

  it('a queue for others that nobody listens to', async () => {
    const queue = `doctor-${randomUUID()}`;
    const handsOn = context({ 'broker.forwardQueue': queue });
    const connection = await connect(testSite().amqpUrl);
    try {
      expect(await one('rabbitmq.forward', context())).toMatchObject({ status: 'skip' });
      expect(await one('rabbitmq.forward', handsOn)).toMatchObject({
        status: 'warn',
        evidence: [expect.stringContaining('does not exist')],
      });
      const channel = await connection.createChannel();
      // with other arguments than Celery's: it is used as it is
      await channel.assertQueue(queue, { durable: true, maxPriority: 5 });
      expect(await one('rabbitmq.forward', handsOn)).toMatchObject({
        status: 'warn',
        fix: expect.stringContaining(`-Q ${queue}`) as string,
      });
      await channel.consume(queue, () => undefined);
      expect(await one('rabbitmq.forward', handsOn)).toMatchObject({ status: 'ok' });
      await channel.deleteQueue(queue);
    } finally {
      await connection.close();
    }
  });

  it('a queue with other arguments, messages that nobody takes, and a queue that is not made by looking', async () => {
    const queue = `doctor-${randomUUID()}`;
    const connection = await connect(testSite().amqpUrl);
    try {
      const absent = context({ 'broker.queues': [queue] });
      expect(await one('rabbitmq.queues', absent)).toMatchObject({
        status: 'ok',
        evidence: [expect.stringContaining('does not exist')],
      });
      const channel = await connection.createChannel();
      await channel.assertQueue(queue, { durable: true, maxPriority: 5 });
      expect(await one('rabbitmq.queues', absent)).toMatchObject({
        status: 'fail',
        evidence: [expect.stringContaining('"x-max-priority" is')],
        fix: expect.stringContaining(
          `rabbitmqctl delete_queue "${queue}" (tasks that are still in it are lost)`,
        ),
      });
      await channel.deleteQueue(queue);
      await channel.assertQueue(queue, { durable: true });
      channel.sendToQueue(queue, Buffer.from('{}'));
      await channel.checkQueue(queue);
      expect(await one('rabbitmq.waiting', absent)).toMatchObject({
        status: 'warn',
        evidence: [expect.stringContaining('1 message waiting, 0 consumers.')],
        fix: 'dsa-slurm --profile lab worker',
      });
      await channel.deleteQueue(queue);
    } finally {
      await connection.close();
    }
  });

  it('a worker that does not answer to its name', async () => {
    expect(await one('celery.ping', context({ 'worker.name': 'celery@nobody' }))).toMatchObject({
      status: 'warn',
      evidence: [expect.stringContaining(lab.settings.worker.name)],
    });
  });
});

describe('Slurm', () => {
  it('an unknown partition', async () => {
    const wrong = context({ 'slurm.partition': 'nowhere' });
    expect(await one('slurm.partitions', wrong)).toMatchObject({
      status: 'fail',
      fix: `dsa-slurm --profile lab config set slurm.partition ${testSite().slurmPartitions[0]}`,
    });
    expect(await one('slurm.submit', wrong)).toMatchObject({
      status: 'fail',
      fix: `dsa-slurm --profile lab config set slurm.partition ${testSite().slurmPartitions[0]}`,
    });
  });

  it('a job that asks for more than there is', async () => {
    expect(await one('slurm.submit', context({ 'slurm.mem': '9000T' }))).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('sinfo -o'),
    });
  });

  it('a controller that is down', async () => {
    const text = await readFile(testSite().slurmConf, 'utf8');
    const dir = await mkdtemp(join(lab.dir, 'dead-'));
    const conf = join(dir, 'slurm.conf');
    await writeFile(conf, text.replace(/^SlurmctldPort=.*$/m, 'SlurmctldPort=1'));
    const dead = context({}, { env: environment(conf) });
    const down = createRunContext({ profile: 'lab', settings: dead.settings, env: environment(conf) });
    const result = await one('slurm.controller', down);
    expect(result).toMatchObject({ status: 'fail', fix: expect.stringContaining('scontrol ping') });
    expect(result.ms).toBeLessThan(5_500);
  });

  it('drained nodes', async () => {
    const run = createRunner({ env: environment(testSite().slurmConf) });
    const partition = testSite().slurmPartitions[0] ?? '';
    const names = await run('sinfo', ['--noheader', '--Node', `--partition=${partition}`, '--format=%N']);
    const nodes = names.kind === 'exited' ? [...new Set(names.stdout.trim().split('\n'))].join(',') : '';
    const update = async (...words: string[]) => run('scontrol', ['update', `NodeName=${nodes}`, ...words]);
    await update('State=DRAIN', 'Reason=doctor');
    try {
      expect(await one('slurm.partitions', context())).toMatchObject({
        status: 'warn',
        evidence: [expect.stringContaining(`No node of partition ${partition} can run a job: drained`)],
        fix: expect.stringContaining(`sinfo -R -p ${partition}`),
      });
      const stop = new AbortController();
      const waited: ProbeWaiting[] = [];
      const answer = await probeSharedDirectories({
        run,
        settings: lab.settings,
        partition,
        directories: [lab.settings.dirs.tmp],
        signal: stop.signal,
        onWaiting(waiting) {
          waited.push(waiting);
          stop.abort();
        },
      });
      expect(answer).toMatchObject({ kind: 'canceled', message: 'The check was aborted.' });
      expect(waited[0]?.reason).not.toBe('');
      const left = await run('squeue', ['--noheader', '--states=pending,running', '--format=%j']);
      expect(left.kind === 'exited' ? left.stdout : 'silence').not.toContain('dsa-slurm-probe');
      expect(await readdir(lab.settings.dirs.tmp)).toEqual([]);

      // the same from the command line, declined with Ctrl-C
      const program = startProgram(['doctor', '--deep', '--only', 'directories.probe'], {
        env: {
          ...environment(testSite().slurmConf),
          DSA_SLURM_CONFIG_DIR: join(lab.dir, 'no-config'),
          DSA_SLURM_TMP: lab.settings.dirs.tmp,
          DSA_SLURM_LOGS: lab.settings.dirs.logs ?? '',
        },
      });
      await lab.until(() => program.stderr().includes('waiting: job'));
      program.signal('SIGINT');
      expect(await program.ended).toBe(1);
      const after = await run('squeue', ['--noheader', '--states=pending,running', '--format=%j']);
      expect(after.kind === 'exited' ? after.stdout : 'silence').not.toContain('dsa-slurm-probe');
      expect(await readdir(lab.settings.dirs.tmp)).toEqual([]);
    } finally {
      await update('State=RESUME');
    }
  });
});

describe('a site that is broken in ten ways', () => {
  it('is reported completely in one run, which waits for all that is silent at once', async () => {
    const hole = await blackHole();
    const dir = await mkdtemp(join(lab.dir, 'broken-'));
    const [images, log, script] = [join(dir, 'images'), join(dir, 'worker.log'), join(dir, 'submit.slurm')];
    await mkdir(images);
    await chmod(images, 0o777);
    await writeFile(log, '', { mode: 0o644 });
    await writeFile(script, '#!/bin/bash\n', { mode: 0o755 });
    const broken = context(
      {
        'broker.url': `amqp://a:geheim@${hole.host}/`,
        'girder.apiUrl': `http://${hole.host}/api/v1`,
        'mongo.uri': `mongodb://u:verraten@${hole.host}/girder`,
        'dirs.tmp': join(dir, 'a,b'),
        'dirs.logs': join(dir, 'nowhere'),
        'dirs.images': images,
        'dirs.state': join(dir, 'state'),
        'slurm.partition': 'nowhere',
        'slurm.submitScript': script,
        'apptainer.command': join(dir, 'apptainer'),
        'log.file': log,
      },
      { env: { ...environment(testSite().slurmConf), LANG: 'C' } },
    );
    try {
      const results = await runChecks(allChecks, broken);
      expect(hole.mostAtOnce()).toBeGreaterThanOrEqual(3);
      const wrong = Object.fromEntries(
        results
          .filter(({ status }) => status === 'fail' || status === 'warn')
          .map(({ id, status }) => [id, status]),
      );
      expect(wrong).toMatchObject({
        'host.locale': 'warn',
        'configuration.modes': 'warn',
        'directories.tmp': 'fail',
        'directories.logs': 'fail',
        'directories.images': 'warn',
        'directories.submit-script': 'warn',
        'slurm.partitions': 'fail',
        'slurm.submit': 'fail',
        'apptainer.version': 'fail',
        'images.files': 'warn',
        'rabbitmq.connect': 'fail',
        'mongo.ping': 'warn',
        'girder.reach': 'fail',
        'worker.running': 'warn',
      });
      expect(results.every(({ status, fix }) => status === 'ok' || status === 'skip' || fix !== null)).toBe(
        true,
      );
      expect(JSON.stringify(results)).not.toMatch(/geheim|verraten/);
    } finally {
      hole.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
