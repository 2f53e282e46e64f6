import { randomUUID } from 'node:crypto';

import { onTestFinished } from 'vitest';
import { describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';
import { errorLine } from '../../../src/base/errors.js';
import { withBroker } from '../../../src/doctor/clients/broker.js';
import { createTrial, openChannel, rabbitmqctl, until } from './bench.js';
import { testSite } from '../../support/test-site.js';

/** A virtual host for this test, and the broker URL with it. */
async function openVirtualHost(): Promise<{ name: string; url: string }> {
  const name = `limits-${randomUUID()}`;
  const url = new URL(testSite().amqpUrl);
  await rabbitmqctl('add_vhost', name);
  onTestFinished(async () => void (await rabbitmqctl('delete_vhost', name)));
  await rabbitmqctl('set_permissions', '-p', name, decodeURIComponent(url.username), '.*', '.*', '.*');
  url.pathname = `/${name}`;
  return { name, url: url.href };
}

async function complaint(url: string, queue?: string): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  return withBroker({ url, signal, clock: systemClock }, async (connection) => {
    if (queue !== undefined) await (await connection.createChannel()).assertQueue(queue, { durable: true });
    return 'open';
  }).catch(errorLine);
}

describe('a limit of the site', () => {
  test('on connections is reported, and distinguished from a missing virtual host', async () => {
    const { name, url } = await openVirtualHost();
    await rabbitmqctl('set_vhost_limits', '-p', name, '{"max-connections": 0}');
    expect(await complaint(url)).toMatch(/accepts no more connections: .*limit .*0.* set_vhost_limits/);
    await rabbitmqctl('clear_vhost_limits', '-p', name);
    expect(await complaint(url)).toBe('open');
    expect(await complaint(url.replace(name, 'nowhere'))).toContain('has no virtual host "nowhere"');
  });

  test('on queues is reported', async () => {
    const { name, url } = await openVirtualHost();
    await rabbitmqctl('set_vhost_limits', '-p', name, '{"max-queues": 0}');
    expect(await complaint(url, 'any')).toMatch(/creates no more queues: .*limit/);
  });
});

test('consumes a task queue that the site declared as a quorum queue', async () => {
  const { url } = await openVirtualHost();
  const channel = await openChannel(url);
  const queue = `test-${randomUUID()}`;
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  const { broker, refusals } = createTrial({ url, queues: [queue] });
  await broker.start();
  expect(broker.status()).toMatchObject({ state: 'consuming', problem: null });
  channel.publish(queue, queue, Buffer.from('no task'));
  await until(() => expect(refusals).toHaveLength(1));
  await broker.close();
});

test('a worker stops promptly while RabbitMQ blocks publishers because memory is low', async () => {
  const { broker, statuses } = createTrial();
  await broker.start();
  await rabbitmqctl('set_vm_memory_high_watermark', 'absolute', '1');
  try {
    // only a connection that publishes is blocked
    await until(async () => {
      await broker.publishResult(
        { id: 'x', replyTo: 'nobody', correlationId: 'x', ignoreResult: false },
        { status: 'SUCCESS' },
      );
      expect(statuses.some(({ problem }) => problem?.includes('low on memory'))).toBe(true);
    });
    await broker.pauseConsuming();
    await broker.close();
    expect(broker.status().state).toBe('closed');
  } finally {
    await rabbitmqctl('set_vm_memory_high_watermark', '0.4');
  }
}, 60_000);
