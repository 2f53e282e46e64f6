import type { Channel, ChannelModel } from 'amqplib';
import { coerceError, DsaSlurmError } from '../../base/errors.js';

/** Remote control requests come through this fanout exchange (contract, section g). */
export const controlExchange = 'celery.pidbox';
/** The only exchange that answers go to. */
export const replyExchange = 'reply.celery.pidbox';

/** Celery's events go through this topic exchange (contract, section h). */
export const eventExchange = 'celeryev';

/**
 * Checks the names of the queues that the worker consumes.
 * @throws DsaSlurmError `config`
 */
export function checkQueueNames(queues: readonly string[]): void {
  if (queues.length === 0) throw badQueues('No queue is configured.', 'Girder publishes to "celery".');
  if (new Set(queues).size < queues.length) {
    throw badQueues('A queue is listed twice.', 'List each queue once.');
  }
  for (const queue of queues) {
    if (queue === 'local') {
      throw badQueues(
        'The queue "local" belongs to the Girder server.',
        'Remove it from the list; Girder publishes analyses to "celery".',
      );
    }
    const length = Buffer.byteLength(queue);
    if (length < 1 || length > 255 || queue.startsWith('amq.')) {
      throw badQueues(
        `${JSON.stringify(queue.slice(0, 80))} is not a valid queue name.`,
        'A queue name has 1 to 255 bytes and does not start with "amq.".',
      );
    }
  }
}

/**
 * Checks the forward queue. It must not be one that this worker consumes: tasks would come straight back.
 * @throws DsaSlurmError `config`
 */
export function checkForwardQueue(forward: string, consumed: readonly string[]): void {
  checkQueueNames([forward]);
  if (consumed.includes(forward)) {
    throw badQueues(
      `broker.forwardQueue is ${JSON.stringify(forward)}, which this worker consumes itself.`,
      'Set it to a queue that another worker consumes, or remove it.',
    );
  }
}

function badQueues(message: string, next: string): DsaSlurmError {
  return new DsaSlurmError('config', message, { next });
}

/**
 * Declares a task queue exactly as Celery's producers do, because RabbitMQ refuses a second declaration that differs:
 * durable queue, durable direct exchange and routing key of the same name, no arguments (contract, section a).
 */
export async function declareTaskQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertExchange(queue, 'direct', { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, queue, queue);
}

/**
 * Whether the site declared a task queue as a quorum queue, for which RabbitMQ refuses Celery's declaration. Creates a
 * missing queue as Celery does.
 */
export async function isQuorumQueue(connection: ChannelModel, queue: string): Promise<boolean> {
  // a refused declaration closes the channel
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  try {
    await channel.assertQueue(queue, { durable: true });
    await channel.close();
    return false;
  } catch (error) {
    if (/inequivalent arg 'x-queue-type'.*current is .*'quorum'/s.test(coerceError(error).message))
      return true;
    throw error;
  }
}

/** Uses a task queue that the site declared, whatever its arguments. */
export async function useTaskQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertExchange(queue, 'direct', { durable: true });
  await channel.checkQueue(queue);
  await channel.bindQueue(queue, queue, queue);
}

/**
 * How to declare the mailbox queue. `celery`: transient and shared, as Celery 5 does. `exclusive`: for brokers that refuse
 * such queues (RabbitMQ 4 can). The broker then chooses the name, because the previous connection may still hold the usual
 * one; requests come through the fanout exchange, so the name does not matter.
 */
export type MailboxKind = 'celery' | 'exclusive';

/** Declares this node's mailbox for remote control (contract, section g). */
export async function declareMailbox(
  channel: Channel,
  nodeName: string,
  kind: MailboxKind,
): Promise<{ queue: string; consumers: number }> {
  await channel.assertExchange(controlExchange, 'fanout', { durable: false, autoDelete: false });
  await channel.assertExchange(replyExchange, 'direct', { durable: false, autoDelete: false });
  const lifetime = { durable: false, autoDelete: true, messageTtl: 300_000, expires: 10_000 };
  const { queue, consumerCount } =
    kind === 'celery'
      ? await channel.assertQueue(`${nodeName}.celery.pidbox`, lifetime)
      : await channel.assertQueue('', { ...lifetime, exclusive: true });
  await channel.bindQueue(queue, controlExchange, '');
  return { queue, consumers: consumerCount };
}
