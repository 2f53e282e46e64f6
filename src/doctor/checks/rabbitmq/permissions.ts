import { randomUUID } from 'node:crypto';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import { controlExchange, replyExchange } from '../../../celery/amqp/topology.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { fail, ok, quoted } from '../../check-result.js';

/** @param arrived whether a published message was received */
export function judgeArrival(arrived: boolean, url: string): Finding {
  const { user, virtualHost } = readBrokerUrl(url);
  if (arrived) return ok(`${user} may configure, write and read in ${virtualHost}`);
  return fail(
    `A message that ${user} published in ${virtualHost} was confirmed, but did not arrive.`,
    `rabbitmqctl list_policies -p ${quoted(virtualHost)}   # does a policy limit the length of queues?`,
  );
}

/** Creates, fills, reads and deletes a temporary queue, and declares the remote control exchanges. */
export const permissions: Check = {
  id: 'rabbitmq.permissions',
  group: 'rabbitmq',
  title: 'permissions',
  needs: ['rabbitmq.connect'],
  async run({ settings, signal, clock }) {
    const { url } = settings.broker;
    const name = `dsa-slurm-doctor-${randomUUID()}`;
    const arrived = await withBroker({ ...settings.broker, signal, clock }, async (connection) => {
      const channel = await connection.createConfirmChannel();
      // the failed call rejects with the error
      channel.on('error', () => undefined);
      await channel.assertExchange(controlExchange, 'fanout', { durable: false, autoDelete: false });
      await channel.assertExchange(replyExchange, 'direct', { durable: false, autoDelete: false });
      await channel.assertQueue(name, { exclusive: true, autoDelete: true, durable: false });
      await channel.bindQueue(name, replyExchange, name);
      channel.publish(replyExchange, name, Buffer.from('{}'), { deliveryMode: 1 });
      await channel.waitForConfirms();
      const message = await channel.get(name, { noAck: true });
      return message !== false;
    });
    return judgeArrival(arrived, url);
  },
};
