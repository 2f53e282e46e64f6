import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { celery, createTrial, openChannel, until } from './bench.js';

const big = 2 ** 40;
const largest = { '!': 'int64', value: '9223372036854775807' };
const smallest = { '!': 'int64', value: '-9223372036854775807' };

test('a task with headers of every type that py-amqp writes is read, and the connection stays', async () => {
  const { broker, queue, tasks, statuses } = createTrial();
  await broker.start();
  const [id] = await celery([{ step: 'publish_types', queue }]);
  await until(() => expect(tasks).toHaveLength(1));
  const values = {
    int: 7,
    big,
    negative: -big,
    largest,
    smallest,
    float: 2.5,
    whole: 3,
    text: 'é',
    none: null,
    yes: true,
  };
  expect(tasks[0]).toMatchObject({
    id,
    headers: {
      ...values,
      price: { '!': 'decimal', value: { places: 2, digits: 314 } },
      at: { '!': 'timestamp', value: Date.UTC(2026, 0, 2, 3, 4, 5) / 1_000 },
      table: { deep: values },
      array: [expect.arrayContaining(Object.values(values)), [big, { n: big }]],
    },
  });
  const channel = await openChannel();
  await until(async () => expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 0 }));
  expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
});

test('such a task is forwarded unchanged to a Python worker', async () => {
  const python = `python-${randomUUID()}`;
  const { broker, queue, statuses } = createTrial({ forward: { queue: python, canRun: () => false } });
  await broker.start();
  const task = 'other.answer';
  const answers = (await celery([
    { step: 'python_worker', queue: python, task },
    { step: 'wait', name: task, queue: python, with_types: true },
    { step: 'wait', name: task, queue, with_types: true },
    // forwarded without that header, and therefore encoded again
    { step: 'wait', name: task, queue, with_types: true, headers: { CC: [] } },
  ])) as { value: { types: Record<string, string> } }[];
  const [direct, through, anew] = answers.slice(1).map(({ value }) => value.types);
  expect(direct).toMatchObject({
    big: '1099511627776',
    // RabbitMQ 4 delivers it in a type that py-amqp reads as unsigned
    negative: expect.stringMatching(/^(-1099511627776|18446742974197923840)$/) as string,
    whole: '3.0',
    price: "Decimal('3.14')",
  });
  expect(through).toEqual(direct);
  // a float with an integral value becomes an ordinary number
  const asRead = Object.entries(direct ?? {}).map(([name, text]) => [
    name,
    text.replaceAll(/\b3\.0\b/g, '3'),
  ]);
  expect(anew).toEqual(Object.fromEntries(asRead));
  expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
  await (await openChannel()).deleteQueue(python);
});

test('remote control with a logical clock beyond 32 bits is answered, and the connection stays', async () => {
  const { broker, nodeName, revokes, statuses } = createTrial();
  await broker.start();
  const [, pong] = await celery([
    { step: 'advance_clock', value: big },
    { step: 'ping', destination: [nodeName] },
    { step: 'revoke', task_id: 'x-1' },
  ]);
  expect(pong).toEqual([{ [nodeName]: { ok: 'pong' } }]);
  await until(() => expect(revokes).toMatchObject([{ ids: ['x-1'] }]));
  expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
});
