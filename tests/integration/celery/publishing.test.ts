import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { OutgoingMessage } from '../../../src/celery/broker.js';
import { createTrial, createWire, openChannel, until } from './bench.js';

const never = new AbortController().signal;

function messageTo(routingKey: string, exchange = ''): OutgoingMessage {
  const properties = {
    deliveryMode: 2,
    correlationId: 'x',
    headers: { task: 'some.task', id: 'x', none: null },
  };
  return { exchange, routingKey, properties, content: Buffer.from('[[], {}, {}]') };
}

/** A queue for this test; deleted at the end. */
async function ownQueue() {
  const channel = await openChannel();
  const queue = `test-${randomUUID()}`;
  onTestFinished(async () => void (await channel.deleteQueue(queue)));
  return { channel, queue };
}

test('declares a missing queue, and a published message survives a restart of the broker', async () => {
  const { broker } = createTrial();
  const { channel, queue } = await ownQueue();
  await broker.start();
  await broker.publish(messageTo(queue), never);
  const got = await channel.get(queue, { noAck: true });
  if (got === false) throw new Error('confirmed, and not there');
  expect(got.content.toString()).toBe('[[], {}, {}]');
  expect(got.fields).toMatchObject({ exchange: '', routingKey: queue });
  expect(got.properties).toMatchObject({ deliveryMode: 2, correlationId: 'x', headers: { none: null } });
});

test('uses a queue that was declared with other arguments as it is', async () => {
  const { broker } = createTrial();
  const { channel, queue } = await ownQueue();
  await channel.assertQueue(queue, { durable: true, maxPriority: 3 });
  await broker.start();
  await broker.publish(messageTo(queue), never);
  expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
});

test('publishing to a missing queue or exchange rejects and affects nothing else', async () => {
  const { broker, statuses } = createTrial();
  await broker.start();
  await expect(broker.publish(messageTo('nobody', 'amq.direct'), never)).rejects.toMatchObject({
    code: 'broker',
    message: expect.stringContaining('No queue accepts it') as string,
  });
  await expect(broker.publish(messageTo('x', `none-${randomUUID()}`), never)).rejects.toThrow(
    /The exchange does not exist/,
  );
  expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ['larger than a frame', { text: 'x'.repeat(140_000) }, /Its headers are larger than RabbitMQ allows/],
  ['nothing that AMQP can hold', { ['n'.repeat(256)]: 1 }, /It cannot be encoded/],
])('publishing headers that are %s rejects and affects nothing else', async (_, headers, why) => {
  const { broker, statuses } = createTrial();
  const { channel, queue } = await ownQueue();
  await broker.start();
  const message = messageTo(queue);
  const bad = { ...message, properties: { ...message.properties, headers } };
  await expect(broker.publish(bad, never)).rejects.toThrow(why);
  await broker.publish(message, never);
  expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
  expect(statuses.map(({ state }) => state)).toEqual(['consuming']);
});

test('publishing waits for the broker until the worker stops', async () => {
  const wire = await createWire();
  const { broker } = createTrial({ url: wire.url });
  const { channel, queue } = await ownQueue();
  await broker.start();
  wire.setDown(true);
  await until(() => expect(broker.status().state).toBe('disconnected'));
  const stop = new AbortController();
  const given = broker.publish(messageTo(queue), stop.signal);
  const kept = broker.publish(messageTo(queue), never);
  stop.abort();
  await expect(given).rejects.toThrow(/abort/);
  wire.setDown(false);
  await kept;
  expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
});
