import type { Channel, ChannelModel, GetMessage } from 'amqplib';
import { connect } from '../../../src/celery/amqp/amqplib.js';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRunner } from '../../../src/base/command.js';
import { analysisMessage } from '../../../src/sandbox/producer/message.js';
import { createProducer } from '../../../src/sandbox/producer/index.js';
import { testSite } from '../../support/test-site.js';

const run = createRunner({ env: process.env });
let connection: ChannelModel;
let channel: Channel;
let queue: string;

beforeEach(async () => {
  connection = await connect(testSite().amqpUrl);
  channel = await connection.createChannel();
  queue = `sandbox-${randomUUID()}`;
});

afterEach(async () => {
  await channel.deleteQueue(queue);
  await connection.close();
});

function message() {
  return analysisMessage(
    {
      spelling: 'docker',
      image: 'example/small:v1',
      title: 'Tiny on ü.tiff',
      args: [
        'Tiny',
        { file: '0'.repeat(24), name: 'ü.tiff' },
        { output: 'o.json', toFolder: '1'.repeat(24) },
      ],
    },
    { apiUrl: 'http://127.0.0.1:1/api/v1', userId: '2'.repeat(24), userToken: () => 't', clientToken: 'c' },
    {
      id: '3'.repeat(24),
      jobInfoSpec: {
        method: 'PUT',
        url: 'u',
        reference: 'r',
        headers: { 'Girder-Token': 'j' },
        logPrint: true,
      },
    },
  );
}

async function fetchOne(from: string): Promise<GetMessage> {
  let got: GetMessage | false = false;
  await expect
    .poll(async () => (got = await channel.get(from, { noAck: true })), { timeout: 60_000 })
    .not.toBe(false);
  return got as unknown as GetMessage;
}

const noPython = createRunner({ env: { PATH: '' } });
const producers = [
  ['celery', run],
  ['own', ((file, args, options) => noPython(`/nowhere${file}`, args, options)) as typeof run],
] as const;

test.each(producers)('%s: the message is the one that Girder publishes', async (kind, runner) => {
  const producer = await createProducer({ brokerUrl: testSite().amqpUrl, run: runner });
  expect(producer.kind).toBe(kind);
  const sent = message();
  await producer.publish([sent], { queue });
  // Must equal Celery's declaration, or the broker refuses it.
  await channel.assertQueue(queue, { durable: true });
  const got = await fetchOne(queue);
  expect(got.fields).toMatchObject({ exchange: '', routingKey: queue });
  expect(got.properties).toMatchObject({
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    deliveryMode: 2,
    correlationId: sent.id,
  });
  expect(got.properties.headers).toMatchObject({ lang: 'py', task: sent.task, id: sent.id, ...sent.headers });
  const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
  expect(JSON.parse(got.content.toString('utf8'))).toEqual({
    'py/tuple': [{ 'py/tuple': sent.args }, sent.kwargs, embed],
  });
});

test.each(producers)('%s: a revoke is the broadcast of a cancel in Girder', async (_kind, runner) => {
  const fixture = new URL(
    '../../fixtures/contract/pidbox/request.revoke.from_girder_cancel.json',
    import.meta.url,
  );
  const { body } = JSON.parse(await readFile(fixture, 'utf8')) as { body: string };
  const expected = JSON.parse(body) as { arguments: object };
  await channel.assertExchange('celery.pidbox', 'fanout', { durable: false });
  await channel.assertQueue(queue, { exclusive: true });
  await channel.bindQueue(queue, 'celery.pidbox', '');
  const producer = await createProducer({ brokerUrl: testSite().amqpUrl, run: runner });
  await producer.revoke(['some-task']);
  const got = await fetchOne(queue);
  const request = JSON.parse(got.content.toString('utf8')) as Record<string, unknown>;
  expect(request).toMatchObject({
    ...expected,
    arguments: { ...expected.arguments, task_id: 'some-task' },
  });
});
