import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { celery, createTrial, createWire, listQueues, openChannel, rabbitmqctl, until } from './bench.js';

describe('remote control by a real Celery', () => {
  test('sees this worker like any Celery worker', async () => {
    const id = '4a1b2c3d-0000-4000-8000-000000000001';
    const task = {
      id,
      name: 'some.task',
      queue: 'celery',
      redelivered: false,
      priority: 0,
      eta: null,
      startedAt: 1_700_000_000_500,
    };
    const { broker, nodeName, queue } = createTrial({ target: { active: () => [task] } });
    await broker.start();
    const inspect = (method: string) => ({ step: 'inspect', method, destination: [nodeName] });
    const [ping, everyone, active, reserved, stats, queues, registered, report] = await celery([
      { step: 'ping', destination: [nodeName] },
      { step: 'ping' },
      inspect('active'),
      inspect('reserved'),
      inspect('stats'),
      inspect('active_queues'),
      inspect('registered'),
      inspect('report'),
    ]);
    expect(ping).toEqual([{ [nodeName]: { ok: 'pong' } }]);
    expect(everyone).toContainEqual({ [nodeName]: { ok: 'pong' } });
    expect(active).toMatchObject({ [nodeName]: [{ id, name: 'some.task', time_start: 1_700_000_000.5 }] });
    expect(reserved).toEqual({ [nodeName]: [] });
    expect(stats).toMatchObject({
      [nodeName]: { total: { 'some.task': 0 }, pool: { 'max-concurrency': 10 } },
    });
    expect(queues).toMatchObject({ [nodeName]: [{ name: queue }] });
    expect(registered).toEqual({ [nodeName]: ['some.task'] });
    expect(report).toMatchObject({ [nodeName]: { ok: expect.stringContaining('dsa-slurm') as string } });
  });

  test.each([126, 300, 40_000])('works with the logical clock at %d', async (clock) => {
    const { broker, nodeName } = createTrial();
    await broker.start();
    const channel = await openChannel();
    channel.publish('celery.pidbox', '', Buffer.from('{"method": "ping"}'), {
      contentType: 'application/json',
      headers: { clock },
    });
    const to = { destination: [nodeName] };
    const [, ping, answered] = await celery([
      { step: 'ping', ...to },
      { step: 'ping', ...to },
      { step: 'inspect', method: 'clock', ...to },
    ]);
    expect(ping).toEqual([{ [nodeName]: { ok: 'pong' } }]);
    expect((answered as Record<string, { clock: number }>)[nodeName]?.clock).toBeGreaterThan(clock);
  });

  test('revokes with and without waiting for a reply', async () => {
    const { broker, nodeName, revokes } = createTrial();
    await broker.start();
    const [, , answered] = await celery([
      { step: 'revoke', task_id: 'a-1' },
      { step: 'revoke', task_id: ['a-1', 'a-2'], terminate: true, signal: 'SIGKILL' },
      { step: 'control', method: 'revoke', arguments: { task_id: 'a-3' }, destination: [nodeName] },
    ]);
    expect(answered).toEqual([{ [nodeName]: { ok: 'tasks a-3 flagged as revoked' } }]);
    expect(revokes).toEqual([
      { ids: ['a-1'], terminate: false },
      { ids: ['a-1', 'a-2'], terminate: true },
      { ids: ['a-3'], terminate: false },
    ]);
  });

  test('replies with an error to unsupported methods', async () => {
    const { broker, nodeName } = createTrial();
    await broker.start();
    const to = { destination: [nodeName] };
    expect(
      await celery([
        { step: 'control', method: 'pool_grow', arguments: { n: 1 }, ...to },
        { step: 'control', method: 'no_such', ...to },
        { step: 'control', method: 'ping', pattern: `${nodeName.slice(0, 12)}*`, matcher: 'glob' },
        { step: 'control', method: 'ping', pattern: 'celery@nobody.*', matcher: 'pcre', timeout: 0.5 },
      ]),
    ).toEqual([
      [{ [nodeName]: { error: expect.stringContaining('no process pool') as string } }],
      [{ [nodeName]: { error: "KeyError('no_such')" } }],
      [{ [nodeName]: { ok: 'pong' } }],
      [],
    ]);
  });

  test('survives invalid requests without affecting tasks', async () => {
    const { broker, nodeName, queue, tasks, statuses } = createTrial();
    await broker.start();
    const channel = await openChannel();
    const json = { contentType: 'application/json' };
    for (const [text, options] of [
      ['{', json],
      ['null', json],
      ['{"method": 7}', json],
      ['{"method": "ping", "reply_to": {"exchange": "no-such-exchange", "routing_key": "x"}}', json],
      [`{"method": "ping", "reply_to": {"exchange": "", "routing_key": "${queue}"}}`, json],
      ['{"method": "ping", "pattern": "((a*)*)*!", "matcher": "pcre"}', json],
      ['gASVCg==', { contentType: 'application/x-python-serialize' }],
      ['{"method": "ping"}', { ...json, headers: { clock: 'soon' } }],
    ] as const) {
      channel.publish('celery.pidbox', '', Buffer.from(text), options);
    }
    expect(
      await celery([
        { step: 'ping', destination: [nodeName] },
        { step: 'publish', queue },
      ]),
    ).toMatchObject([[{ [nodeName]: { ok: 'pong' } }], expect.any(String)]);
    await until(() => expect(tasks).toHaveLength(1));
    expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
  });

  test('declares its mailbox as Celery 5 does, and again when it is deleted', async () => {
    const { broker, nodeName, statuses } = createTrial();
    await broker.start();
    const mailbox = `${nodeName}.celery.pidbox`;
    const expected = [mailbox, 'false', 'true', 'false', '[{"x-expires",10000},{"x-message-ttl",300000}]'];
    expect(await listQueues()).toContainEqual(expected);

    const channel = await openChannel();
    await channel.deleteQueue(mailbox);
    await until(async () => {
      expect(await celery([{ step: 'ping', destination: [nodeName] }])).toEqual([
        [{ [nodeName]: { ok: 'pong' } }],
      ]);
    });
    expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
  });

  test('works although the mailbox exists with other arguments', async () => {
    const { broker, nodeName } = createTrial();
    const channel = await openChannel();
    await channel.assertQueue(`${nodeName}.celery.pidbox`, { durable: false, autoDelete: true });
    await broker.start();
    expect(broker.status().state).toBe('consuming');
    expect(await celery([{ step: 'ping', destination: [nodeName] }])).toEqual([
      [{ [nodeName]: { ok: 'pong' } }],
    ]);
    await channel.deleteQueue(`${nodeName}.celery.pidbox`);
  });

  test('works again after a reconnect', async () => {
    const wire = await createWire();
    const { broker, nodeName, statuses } = createTrial({ url: wire.url });
    await broker.start();
    wire.cut();
    await until(() => expect(statuses).toHaveLength(3));
    expect(await celery([{ step: 'ping', destination: [nodeName] }])).toEqual([
      [{ [nodeName]: { ok: 'pong' } }],
    ]);
  });
});

describe('results for a real Celery caller', () => {
  test('reach the caller for each outcome', async () => {
    const trial = createTrial({
      onTask: async (task) => {
        const { args } = { args: (JSON.parse(task.body) as [string[]])[0] };
        switch (args[0]) {
          case 'fail':
            return trial.broker.publishResult(task, { status: 'FAILURE', message: 'Slurm said no: é' });
          case 'revoke':
            return trial.broker.publishResult(task, { status: 'REVOKED', reason: 'terminated' });
          default:
            return trial.broker.publishResult(task, { status: 'SUCCESS' });
        }
      },
    });
    const { broker, queue } = trial;
    await broker.start();
    expect(
      await celery([
        { step: 'wait', queue },
        { step: 'wait', queue, args: ['fail'] },
        { step: 'wait', queue, args: ['revoke'] },
      ]),
    ).toMatchObject([
      { state: 'SUCCESS', value: null },
      { state: 'FAILURE', error: 'RuntimeError', text: 'Slurm said no: é' },
      { state: 'REVOKED', error: 'TaskRevokedError', text: 'terminated' },
    ]);
  });

  test('wait for the next connection, and are dropped if the caller is gone', async () => {
    const wire = await createWire();
    const { broker, queue, tasks, statuses } = createTrial({ url: wire.url });
    const channel = await openChannel();
    const { queue: replies } = await channel.assertQueue('', { exclusive: true });
    await broker.start();
    await celery([{ step: 'publish', queue }]);
    await until(() => expect(tasks).toHaveLength(1));
    const [task] = tasks;
    if (task === undefined) throw new Error('no task');

    wire.setDown(true);
    await until(() => expect(broker.status().state).toBe('disconnected'));
    await broker.publishResult({ ...task, replyTo: 'nobody-listens-here' }, { status: 'SUCCESS' });
    await broker.publishResult({ ...task, replyTo: replies }, { status: 'SUCCESS' });
    wire.setDown(false);
    await until(async () => {
      const message = await channel.get(replies, { noAck: true });
      expect(message && message.properties).toMatchObject({
        correlationId: task.correlationId,
        contentType: 'application/json',
        deliveryMode: 1,
      });
    });
    expect(statuses.map(({ state }) => state)).toEqual(['consuming', 'disconnected', 'consuming']);
  });
});

describe('a task of another worker', () => {
  const task = 'large_image_tasks.tasks.create_tiff';

  test('is run by a real Python worker on the forward queue, transparently for its caller', async () => {
    const other = `python-${randomUUID()}`;
    const { broker, queue, tasks } = createTrial({
      forward: { queue: other, canRun: (name) => name === 'some.task' },
    });
    await broker.start();
    const channel = await openChannel();
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    const answered = await celery([
      { step: 'python_worker', queue: other, task },
      { step: 'publish', queue },
      {
        step: 'wait',
        name: task,
        queue,
        args: ['é', 1.5],
        kwargs: { a: [null] },
        task_id: 'tiff-1',
        time_limit: 300,
        soft_time_limit: 200.5,
      },
    ]);
    expect(answered[2]).toMatchObject({
      state: 'SUCCESS',
      value: { args: ['é', 1.5], kwargs: { a: [null] }, id: 'tiff-1' },
    });
    await until(() => expect(tasks).toMatchObject([{ name: 'some.task' }]));
  });

  test('is forwarded unchanged: bytes, headers and properties', async () => {
    const other = `python-${randomUUID()}`;
    const { broker, queue } = createTrial({ forward: { queue: other, canRun: () => false } });
    await broker.start();
    const channel = await openChannel();
    // as the worker declares it: RabbitMQ closes the channel that asks for a missing queue
    await channel.assertQueue(other, { durable: true });
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    const content = Buffer.from('[[ "\\u00e9" ],  {}, {"callbacks": null}]');
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: { task, id: 'tiff-2', retries: 0, jobInfoSpec: { a: [1, null, 'x'] }, timelimit: [null, 2.5] },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'tiff-2',
      replyTo: 'somebody',
      messageId: 'm',
      type: 't',
      appId: 'a',
      timestamp: 1_700_000_000,
    };
    channel.publish('', queue, content, properties);
    await until(async () => {
      const message = await channel.get(other, { noAck: true });
      expect(message && message.content.equals(content)).toBe(true);
      expect(message && message.properties).toMatchObject(properties);
    });
  });

  test('is forwarded in pickle without being decoded', async () => {
    const other = `python-${randomUUID()}`;
    const { broker, queue, refusals } = createTrial({ forward: { queue: other, canRun: () => false } });
    await broker.start();
    const channel = await openChannel();
    // as the worker declares it: RabbitMQ closes the channel that asks for a missing queue
    await channel.assertQueue(other, { durable: true });
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    await celery([{ step: 'publish', name: task, queue, serializer: 'pickle' }]);
    await until(async () => {
      const message = await channel.get(other, { noAck: true });
      expect(message && message.properties.contentType).toBe('application/x-python-serialize');
    });
    expect(refusals).toEqual([]);
  });

  test('is not copied back, although its publisher asked for copies in this queue', async () => {
    const other = `python-${randomUUID()}`;
    const { broker, queue } = createTrial({ forward: { queue: other, canRun: () => false } });
    await broker.start();
    const channel = await openChannel();
    // as the worker declares it: RabbitMQ closes the channel that asks for a missing queue
    await channel.assertQueue(other, { durable: true });
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    const publish = (headers: object) =>
      channel.publish('', queue, Buffer.from('[[], {}, {}]'), { contentType: 'application/json', headers });
    const came: string[] = [];
    const untilCame = async (id: string) =>
      until(async () => {
        const message = await channel.get(other, { noAck: true });
        if (message !== false) came.push(String(message.properties.headers?.['id']));
        expect(came).toContain(id);
      });
    publish({ task, id: 'tiff-3', CC: [queue] });
    await untilCame('tiff-3');
    // a copy would have arrived before these
    for (const id of ['next', 'last']) {
      publish({ task, id });
      await untilCame(id);
    }
    expect(came).toEqual(['tiff-3', 'next', 'last']);
  });

  test('is forwarded with 100 KB of headers, as the hooks of many outputs need', async () => {
    const other = `python-${randomUUID()}`;
    const { broker, queue } = createTrial({ forward: { queue: other, canRun: () => false } });
    await broker.start();
    const channel = await openChannel();
    // as the worker declares it: RabbitMQ closes the channel that asks for a missing queue
    await channel.assertQueue(other, { durable: true });
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    const girder_result_hooks = Array.from({ length: 30 }, (_, n) => ({ n, text: 'x'.repeat(4_000) }));
    await celery([{ step: 'publish', name: task, queue, headers: { girder_result_hooks } }]);
    await until(async () => {
      const message = await channel.get(other, { noAck: true });
      expect(message && message.properties.headers).toMatchObject({ task, girder_result_hooks });
    });
  });

  test('waits while the forward queue is full without blocking other tasks', async () => {
    const other = `full-${randomUUID()}`;
    const limit = JSON.stringify({ 'max-length': 1, overflow: 'reject-publish' });
    await rabbitmqctl('-q', 'set_policy', '--apply-to', 'queues', other, `^${other}$`, limit);
    onTestFinished(async () => void (await rabbitmqctl('-q', 'clear_policy', other)));
    const { broker, queue, tasks } = createTrial({
      forward: { queue: other, canRun: (name) => name === 'some.task' },
    });
    const channel = await openChannel();
    await channel.assertQueue(other, { durable: true });
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    channel.sendToQueue(other, Buffer.from('it is full'));
    await until(async () => expect((await channel.checkQueue(other)).messageCount).toBe(1));
    await broker.start();
    await celery([
      { step: 'publish', name: task, queue, task_id: 'tiff-3' },
      { step: 'publish', queue },
    ]);
    await until(() => expect(tasks).toMatchObject([{ name: 'some.task' }]));
    const [row] = (await rabbitmqctl('-q', 'list_queues', 'name', 'messages_unacknowledged'))
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([name]) => name === queue);
    expect(row).toEqual([queue, '1']);

    const filler = await channel.get(other, { noAck: true });
    expect(filler && filler.content.toString()).toBe('it is full');
    await until(async () => {
      const message = await channel.get(other, { noAck: true });
      expect(message && message.properties).toMatchObject({ correlationId: 'tiff-3', headers: { task } });
    });
    await until(async () =>
      expect(await rabbitmqctl('-q', 'list_queues', 'name', 'messages')).toContain(`${queue}\t0`),
    );
  });

  test('does not block other tasks however many wait, and is reported in the status', async () => {
    const other = `full-${randomUUID()}`;
    const limit = JSON.stringify({ 'max-length': 0, overflow: 'reject-publish' });
    await rabbitmqctl('-q', 'set_policy', '--apply-to', 'queues', other, `^${other}$`, limit);
    const { broker, queue, tasks } = createTrial({
      prefetch: 4,
      forward: { queue: other, canRun: (name) => name === 'some.task' },
    });
    const channel = await openChannel();
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    await broker.start();
    await celery([
      ...Array.from({ length: 15 }, () => ({ step: 'publish', name: task, queue })),
      { step: 'publish', queue },
    ]);
    await until(() => expect(tasks).toMatchObject([{ name: 'some.task' }]));
    await until(() =>
      expect(broker.status().problem).toContain(`15 tasks wait to be forwarded to the queue "${other}"`),
    );
    await rabbitmqctl('-q', 'clear_policy', other);
    await until(async () => expect((await channel.checkQueue(other)).messageCount).toBe(15), 60_000);
    await until(() => expect(broker.status()).toMatchObject({ state: 'consuming', problem: null }));
  });

  test('returns to its own queue when this worker stops before forwarding it', async () => {
    const other = `full-${randomUUID()}`;
    const limit = JSON.stringify({ 'max-length': 0, overflow: 'reject-publish' });
    await rabbitmqctl('-q', 'set_policy', '--apply-to', 'queues', other, `^${other}$`, limit);
    onTestFinished(async () => void (await rabbitmqctl('-q', 'clear_policy', other)));
    const { broker, queue } = createTrial({ forward: { queue: other, canRun: () => false } });
    const channel = await openChannel();
    onTestFinished(async () => void (await channel.deleteQueue(other)));
    await broker.start();
    await celery([{ step: 'publish', name: task, queue, task_id: 'tiff-4' }]);
    await until(async () =>
      expect(await rabbitmqctl('-q', 'list_queues', 'name', 'messages_unacknowledged')).toContain(
        `${queue}\t1`,
      ),
    );
    await broker.close();
    await until(async () => expect((await channel.checkQueue(queue)).messageCount).toBe(1));
    const message = await channel.get(queue, { noAck: true });
    expect(message && message.properties).toMatchObject({ correlationId: 'tiff-4', headers: { task } });
  });
});
