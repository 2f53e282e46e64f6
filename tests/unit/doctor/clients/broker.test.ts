import { describe, expect, it } from 'vitest';
import { readBrokerUrl } from '../../../../src/celery/amqp/broker-url.js';
import { judgeNames, judgeOthers, judgePing, type Pong } from '../../../../src/doctor/checks/celery/ping.js';
import { judgeAnswer, roundTrip } from '../../../../src/doctor/checks/celery/round-trip.js';
import { judgeForward } from '../../../../src/doctor/checks/rabbitmq/forward.js';
import { judgeArrival } from '../../../../src/doctor/checks/rabbitmq/permissions.js';
import { judgeCredentials } from '../../../../src/doctor/checks/rabbitmq/credentials.js';
import { judgeLocal } from '../../../../src/doctor/checks/rabbitmq/local.js';
import { deliveryTimeout, judgeTimeout } from '../../../../src/doctor/checks/rabbitmq/delivery-timeout.js';
import { judgeWaiting } from '../../../../src/doctor/checks/rabbitmq/queues.js';
import { judgeVersion } from '../../../../src/doctor/checks/rabbitmq/version.js';
import type { Finding } from '../../../../src/doctor/check.js';
import { ask, exited, fakeRun, settingsWith } from '../../../support/doctor.js';

function expectFinding(finding: Finding, status: string, evidence: string, fix: string | null): void {
  expect(finding.evidence.join('\n')).toContain(evidence);
  expect(finding.status).toBe(status);
  if (fix === null) expect(finding.fix).toBeUndefined();
  else expect(finding.fix).toContain(fix);
}

const connected = (cluster: string | null) => ({ 'rabbitmq.connect': { cluster } });

describe('rabbitmq', () => {
  it.each([
    ['RabbitMQ', '3.10.8', 'ok', '3.10.8', null],
    ['RabbitMQ', '4.3.0', 'ok', 'denies global_qos by default', null],
    ['RabbitMQ', '3.6.6', 'fail', 'is not supported', 'Install RabbitMQ 3.8'],
    ['LavinMQ', '2.0.0', 'warn', 'is not RabbitMQ', 'Use RabbitMQ 3.8'],
  ])('version %s %s', (product, version, status, evidence, fix) =>
    expectFinding(judgeVersion({ product, version, cluster: null }), status, evidence, fix),
  );

  it.each([
    [
      'guest, open',
      'amqp://guest:guest@localhost/',
      '10.0.0.5',
      'warn',
      'open to other hosts (10.0.0.5)',
      'rabbitmqctl delete_user guest',
    ],
    ['guest, closed', 'amqp://localhost/', null, 'ok', 'closed to other hosts', null],
    ['own password', 'amqp://girder:geheim@localhost/', '10.0.0.5', 'ok', 'not the default password', null],
    ['elsewhere, plain', 'amqp://girder:geheim@far/', 'far', 'ok', 'is not encrypted', null],
    ['elsewhere, TLS', 'amqps://girder:geheim@far/', 'far', 'ok', 'not the default password', null],
    ['guest elsewhere', 'amqp://guest:guest@far/', 'far', 'warn', 'accepts guest:guest', 'add_user'],
  ])('credentials: %s', (_name, url, open, status, evidence, fix) => {
    const finding = judgeCredentials(readBrokerUrl(url), open);
    expectFinding(finding, status, evidence, fix);
    expect(JSON.stringify(finding)).not.toContain('geheim');
  });

  it('judges whether a message arrived', () => {
    const url = 'amqp://girder:geheim@localhost/dsa';
    expectFinding(judgeArrival(true, url), 'ok', 'girder may configure, write and read in dsa', null);
    const lost = judgeArrival(false, url);
    expectFinding(
      lost,
      'fail',
      'published in dsa was confirmed, but did not arrive',
      'rabbitmqctl list_policies -p dsa',
    );
    expect(JSON.stringify(lost)).not.toContain('geheim');
  });

  it.each([
    [
      'nobody takes them',
      [{ name: 'celery', messages: 3, consumers: 0 }],
      'warn',
      '3 messages waiting, 0 consumers.',
      'dsa-slurm --profile lab worker',
    ],
    ['taken', [{ name: 'celery', messages: 3, consumers: 1 }], 'ok', '1 consumer', null],
    ['empty', [{ name: 'celery', messages: 0, consumers: 0 }], 'ok', '0 messages', null],
    ['not there', [], 'ok', 'no queue exists yet', null],
  ])('waiting: %s', (_name, facts, status, evidence, fix) =>
    expectFinding(judgeWaiting(facts, 'lab'), status, evidence, fix),
  );

  it.each([
    ['taken from', { messages: 3, consumers: 1 }, 'ok', '3 messages waiting, 1 consumer', null],
    ['taken from by nobody', { messages: 0, consumers: 0 }, 'warn', 'their Girder jobs wait', '-Q python'],
    ['not there', null, 'warn', 'does not exist', 'unset broker.forwardQueue'],
  ])('the queue for others is %s', (_name, depth, status, evidence, fix) =>
    expectFinding(judgeForward('python', depth), status, evidence, fix),
  );

  it.each([
    ['taken', { messages: 2, consumers: 1, tasks: [] }, 5, 'ok', '1 consumer', null],
    [
      'not taken',
      { messages: 1, consumers: 0, tasks: ['a.b'] },
      5,
      'warn',
      'Waiting: a.b.',
      'worker -Q local',
    ],
    [
      'not taken, Girder unknown',
      { messages: 1, consumers: 0, tasks: [] },
      null,
      'warn',
      'Until a worker consumes them',
      'local',
    ],
    ['empty', { messages: 0, consumers: 0, tasks: [] }, 5, 'warn', 'would wait forever', 'worker -Q local'],
    ['not there', null, 5, 'warn', 'has no consumer', 'worker -Q local'],
    ['not needed', null, 3, 'ok', 'not used', null],
  ])('queue local is %s', (_name, state, major, status, evidence, fix) =>
    expectFinding(judgeLocal(state, major), status, evidence, fix),
  );

  it('reports the delivery timeout if it can be read', async () => {
    expectFinding(judgeTimeout('{ok,1800000}\n'), 'ok', 'for 30 min', null);
    expectFinding(judgeTimeout('undefined\n'), 'ok', 'no delivery timeout', null);
    const run = fakeRun({ rabbitmqctl: exited('{ok,60000}') });
    expect(await ask(deliveryTimeout, { run }, connected('rabbit@host'))).toMatchObject({ status: 'ok' });
    // of the node that the profile connects to, and never what only looks like an option
    await ask(deliveryTimeout, { run }, connected('-n x'));
    expect(run.lines).toEqual([
      'rabbitmqctl -q -n rabbit@host eval application:get_env(rabbit, consumer_timeout).',
      'rabbitmqctl -q eval application:get_env(rabbit, consumer_timeout).',
    ]);
    expect(await ask(deliveryTimeout, {}, connected(null))).toMatchObject({ status: 'skip' });
    const hanging = fakeRun({ rabbitmqctl: { kind: 'timeout', ms: 2_500 } });
    expect(await ask(deliveryTimeout, { run: hanging }, connected(null))).toMatchObject({ status: 'skip' });
  });
});

describe('celery', () => {
  const ours: Pong = { node: 'celery@login1', report: 'dsa-slurm worker celery@login1', queues: ['celery'] };
  const python: Pong = { node: 'celery@old', report: 'software -> celery:5.2.6', queues: ['celery'] };
  it.each([
    ['ours', [ours], 'ok', 'celery@login1 answers', null],
    ['ours and another', [ours, python], 'ok', 'so do celery@old', null],
    ['Until a worker consumes them', [], 'warn', 'no other worker did', 'dsa-slurm --profile lab worker'],
    ['only another', [python], 'warn', 'celery@old did', 'worker'],
  ])('ping: %s', (_name, pongs, status, evidence, fix) =>
    expectFinding(judgePing(pongs, 'celery@login1', 'lab'), status, evidence, fix),
  );

  it.each([
    ['answered', 'SUCCESS', 'ok', 'a task in queue celery was answered after 12 ms', null],
    ['silent', null, 'warn', 'queue celery had no result within 15 s', 'dsa-slurm --profile lab console'],
    [
      'taken by another',
      'FAILURE',
      'warn',
      'returned FAILURE after 12 ms',
      'doctor --only celery.other-consumers',
    ],
  ])('round trip: %s', (_name, status, expected, evidence, fix) =>
    expectFinding(
      judgeAnswer(status, { queue: 'celery', ms: 12, named: ' --profile lab' }),
      expected,
      evidence,
      fix,
    ),
  );

  it('sends no task if the worker is not running', async () => {
    expect(
      await ask(
        roundTrip,
        { deep: true, settings: settingsWith({ 'worker.name': 'celery@login1' }) },
        { 'celery.ping': [python], 'rabbitmq.queues': undefined },
      ),
    ).toMatchObject({
      status: 'warn',
      evidence: ['This worker is not running, so no task was sent.'],
      fix: 'dsa-slurm --profile lab worker',
    });
  });

  it.each([
    ['once each', [ours, python], 'ok', 'all names are unique', null],
    ['ours twice', [ours, ours], 'warn', 'celery@login1', 'config set worker.name celery-2@login1'],
    ['theirs twice', [ours, python, python], 'warn', 'celery@old', 'celery worker -n'],
  ])('names: %s', (_name, pongs, status, evidence, fix) =>
    expectFinding(judgeNames(pongs, 'celery@login1', 'lab'), status, evidence, fix),
  );

  it.each([
    ['alone', [ours], 'ok', 'no other worker consumes', null],
    ['Python worker', [ours, python], 'warn', 'celery@old', 'docker compose stop worker'],
    [
      'Python worker of another queue',
      [ours, { ...python, queues: ['local'] }],
      'ok',
      'no other worker consumes',
      null,
    ],
    [
      'another of ours',
      [ours, { ...ours, node: 'celery@login2' }],
      'ok',
      'share the queue: celery@login2',
      null,
    ],
  ])('others: %s', (_name, pongs, status, evidence, fix) =>
    expectFinding(judgeOthers(pongs, ['celery'], 'celery@login1'), status, evidence, fix),
  );
});
