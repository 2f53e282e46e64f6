import { describe, expect, test } from 'vitest';
import { celery, createTrial, createWire, listQueues, openChannel, rabbitmqctl, until } from './bench.js';
import { testSite } from '../../support/test-site.js';

describe('tasks of a real Celery producer', () => {
  test('arrive, and are acknowledged only once they are stored', async () => {
    const safe = Promise.withResolvers<void>();
    const trial = createTrial({
      onTask: async (task) => {
        trial.tasks.push(task);
        await safe.promise;
      },
    });
    const { broker, queue, tasks } = trial;
    // Celery declares the queue first; our declaration must match
    const [id] = await celery([
      {
        step: 'publish',
        queue,
        args: ['é', 1],
        kwargs: { a: null },
        countdown: 3_600,
        headers: { extra: { a: [1] } },
      },
    ]);
    await broker.start();
    await until(() => expect(tasks).toHaveLength(1));
    expect(tasks[0]).toMatchObject({
      id,
      name: 'some.task',
      queue,
      redelivered: false,
      headers: { lang: 'py', extra: { a: [1] } },
      eta: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    });
    expect(JSON.parse(tasks[0]?.body ?? '')).toMatchObject([['é', 1], { a: null }, {}]);
    expect(await unacknowledged(queue)).toBe(1);
    safe.resolve();
    await until(async () => expect(await unacknowledged(queue)).toBe(0));
    const channel = await openChannel();
    expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 0, consumerCount: 1 });
  });

  test('the depth of any queue can be asked; null if it does not exist', async () => {
    const { broker, queue } = createTrial();
    await broker.start();
    const others = `${queue}.others`;
    expect(await broker.queueDepth(others)).toBeNull();
    await celery([{ step: 'publish', queue: others, args: [] }]);
    expect(await broker.queueDepth(others)).toEqual({ queue: others, ready: 1, consumers: 0 });
    // asking for the missing one did not affect the connection
    expect(broker.status().state).toBe('consuming');
  });

  test('find the queue as Celery itself declares it', async () => {
    const { broker, queue, tasks } = createTrial();
    await broker.start();
    expect(await listQueues()).toContainEqual([queue, 'true', 'false', 'false', '[]']);
    const bindings = await rabbitmqctl(
      '-q',
      'list_bindings',
      'source_name',
      'destination_name',
      'routing_key',
    );
    expect(bindings.split('\n')).toContain([queue, queue, queue].join('\t'));
    const exchanges = await rabbitmqctl(
      '-q',
      'list_exchanges',
      'name',
      'type',
      'durable',
      'auto_delete',
      'arguments',
    );
    expect(exchanges.split('\n')).toContain([queue, 'direct', 'true', 'false', '[]'].join('\t'));
    // and Celery accepts our declaration
    await celery([{ step: 'publish', queue }]);
    await until(() => expect(tasks).toHaveLength(1));
  });

  test('are delivered again when they were not accepted', async () => {
    const trial = createTrial({
      onTask: async (task) => {
        trial.tasks.push(task);
        if (trial.tasks.length === 1) throw new Error('no space left on device');
      },
    });
    await trial.broker.start();
    await celery([{ step: 'publish', queue: trial.queue }]);
    await until(() => expect(trial.tasks).toHaveLength(2));
    expect(trial.tasks.map(({ redelivered }) => redelivered)).toEqual([false, true]);
    await until(async () => expect(await unacknowledged(trial.queue)).toBe(0));
  });

  test('are refused and dropped if they are pickled, with what could be read', async () => {
    const { broker, queue, tasks, refusals } = createTrial();
    await broker.start();
    const [id] = await celery([
      { step: 'publish', queue, serializer: 'pickle', headers: { jobInfoSpec: { method: 'PUT' } } },
    ]);
    const channel = await openChannel();
    channel.sendToQueue(queue, Buffer.from('junk'), { contentType: 'text/plain' });
    await until(() => expect(refusals).toHaveLength(2));
    expect(refusals[0]).toMatchObject({ id, name: 'some.task', headers: { jobInfoSpec: { method: 'PUT' } } });
    expect(refusals[0]?.reason).toContain('application/x-python-serialize');
    await until(async () => expect(await unacknowledged(queue)).toBe(0));
    expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 0 });
    expect(tasks).toEqual([]);
  });
});

describe('the consumer', () => {
  test('pauses, leaves tasks in the queue even after a reconnect, and resumes', async () => {
    const wire = await createWire();
    const { broker, queue, tasks, statuses } = createTrial({ url: wire.url });
    await broker.start();
    await broker.pauseConsuming();
    expect(broker.status()).toMatchObject({ state: 'paused', problem: null });
    const channel = await openChannel();
    await celery([{ step: 'publish', queue }]);
    // Celery does not wait until RabbitMQ has it
    await until(async () =>
      expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 1, consumerCount: 0 }),
    );

    wire.cut();
    await until(() =>
      expect(statuses.map(({ state }) => state)).toEqual(['consuming', 'paused', 'disconnected', 'paused']),
    );
    expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 1, consumerCount: 0 });
    expect(tasks).toEqual([]);

    await broker.resumeConsuming();
    await until(() => expect(tasks).toHaveLength(1));
    expect(broker.status().state).toBe('consuming');
  });

  test('requeues held tasks immediately when it pauses', async () => {
    const trial = createTrial({
      onTask: async (task) => {
        trial.tasks.push(task);
        throw new Error('The in-flight limit is reached.');
      },
    });
    const { broker, queue, tasks } = trial;
    await broker.start();
    await celery(Array.from({ length: 6 }, () => ({ step: 'publish', queue })));
    await until(() => expect(tasks.length).toBeGreaterThanOrEqual(4));
    await broker.pauseConsuming();
    const channel = await openChannel();
    await until(
      async () => expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 6 }),
      2_000,
    );
  });

  test('ends in the last requested state after many quick changes', async () => {
    const { broker, queue, tasks } = createTrial();
    await broker.start();
    await Promise.all(
      Array.from({ length: 21 }, async (_, n) =>
        n % 2 === 0 ? broker.pauseConsuming() : broker.resumeConsuming(),
      ),
    );
    const channel = await openChannel();
    expect(await channel.checkQueue(queue)).toMatchObject({ consumerCount: 0 });
    await broker.resumeConsuming();
    expect(await channel.checkQueue(queue)).toMatchObject({ consumerCount: 1 });
    await celery([{ step: 'publish', queue }]);
    await until(() => expect(tasks).toHaveLength(1));
  });

  test('recovers after its queue was deleted', async () => {
    const { broker, queue, tasks, statuses } = createTrial();
    await broker.start();
    const channel = await openChannel();
    await channel.deleteQueue(queue);
    await until(() =>
      expect(statuses.map(({ state }) => state)).toEqual(['consuming', 'disconnected', 'consuming']),
    );
    expect(statuses[1]?.problem).toContain('was deleted');
    await celery([{ step: 'publish', queue }]);
    await until(() => expect(tasks).toHaveLength(1));
  });
});

describe('the connection', () => {
  test('recovers after it was cut; an unsettled task is redelivered and acknowledged once', async () => {
    const wire = await createWire();
    const first = Promise.withResolvers<void>();
    const trial = createTrial({
      url: wire.url,
      onTask: async (task) => {
        trial.tasks.push(task);
        if (trial.tasks.length === 1) await first.promise;
      },
    });
    const { broker, queue, tasks, statuses } = trial;
    await broker.start();
    await celery([{ step: 'publish', queue }]);
    await until(() => expect(tasks).toHaveLength(1));

    wire.setDown(true);
    await until(() => expect(broker.status().state).toBe('disconnected'));
    expect(broker.status().problem).not.toContain(new URL(wire.url).password);
    // the old delivery is stored after its channel is gone; it must not be acknowledged on the next one
    first.resolve();
    wire.setDown(false);
    await until(() => expect(tasks).toHaveLength(2));
    expect(tasks[1]).toMatchObject({ id: tasks[0]?.id, redelivered: true });
    await until(async () => expect(await unacknowledged(queue)).toBe(0));
    expect(statuses.at(-1)).toMatchObject({ state: 'consuming', problem: null });
    await celery([{ step: 'publish', queue }]);
    await until(() => expect(tasks).toHaveLength(3));
  });

  test('recovers after the broker closed it', async () => {
    const { broker, statuses } = createTrial();
    await broker.start();
    await rabbitmqctl('close_all_connections', 'maintenance');
    await until(() =>
      expect(statuses.map(({ state }) => state)).toEqual(['consuming', 'disconnected', 'consuming']),
    );
    expect(statuses[1]?.problem).toContain('maintenance');
  });

  test('is retried while nothing listens yet', async () => {
    const wire = await createWire();
    wire.setDown(true);
    const { broker, statuses } = createTrial({ url: wire.url });
    await broker.start();
    expect(broker.status()).toMatchObject({ state: 'connecting', problem: expect.any(String) as string });
    wire.setDown(false);
    await until(() => expect(statuses.at(-1)).toMatchObject({ state: 'consuming', problem: null }));
  });

  test('ends with close, which requeues unsettled tasks', async () => {
    const taken = Promise.withResolvers<void>();
    const trial = createTrial({
      onTask: async () => {
        taken.resolve();
        throw new Error('full');
      },
    });
    await trial.broker.start();
    await celery([{ step: 'publish', queue: trial.queue }]);
    await taken.promise;
    await trial.broker.close();
    expect(trial.broker.status().state).toBe('closed');
    const channel = await openChannel();
    expect(await channel.checkQueue(trial.queue)).toMatchObject({ messageCount: 1, consumerCount: 0 });
  });
});

describe('the first connection fails with an explanation', () => {
  test.each<[string, (url: URL) => void, RegExp]>([
    ['for a wrong password', (url) => (url.password = 'hunter2'), /refused the user "guest" or its password/],
    ['for an unknown user', (url) => (url.username = 'nobody'), /refused the user "nobody" or its password/],
    ['for a wrong virtual host', (url) => (url.pathname = '/nowhere'), /no virtual host "nowhere"/],
    [
      'TLS against a plain-text port',
      (url) => (url.href = url.href.replace('amqp:', 'amqps:')),
      /does not speak TLS/,
    ],
  ])('%s', async (_, change, sentence) => {
    const url = new URL(testSite().amqpUrl);
    change(url);
    const { broker } = createTrial({ url: url.href });
    const failure: unknown = await broker.start().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'broker', message: expect.stringMatching(sentence) as string });
    expect(failure).toMatchObject({ next: expect.any(String) as string });
    expect(String(failure)).not.toContain(`:${url.password}@`);
  });

  test.each([
    [{ maxPriority: 10 }, '"x-max-priority"'],
    [{ durable: false }, "\"durable\" is 'false' and should be 'true'"],
  ])('for a queue that exists with %j', async (options, difference) => {
    const { broker, queue } = createTrial();
    const channel = await openChannel();
    await channel.assertQueue(queue, options);
    await expect(broker.start()).rejects.toMatchObject({
      code: 'broker',
      message: expect.stringContaining(difference) as string,
      next: expect.stringContaining(`rabbitmqctl delete_queue "${queue}"`) as string,
    });
  });
});

async function unacknowledged(queue: string): Promise<number> {
  const text = await rabbitmqctl('-q', 'list_queues', 'name', 'messages_unacknowledged');
  const line = text.split('\n').find((row) => row.startsWith(`${queue}\t`));
  return Number(line?.split('\t')[1]);
}
