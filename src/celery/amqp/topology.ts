import type { Channel, ChannelModel } from 'amqplib';
import { coerceError, DsaSlurmError } from '../../base/errors.js';

/** Remote control requests come through this fanout exchange (contract, section g). */
export const controlExchange = 'celery.pidbox';
/** The only exchange that answers go to. */
export const replyExchange = 'reply.celery.pidbox';

/** Celery's events go through this topic exchange (contract, section h). */
export const eventExchange = 'celeryev';

/**
 * Checks the queues that a worker is to consume.
 * @throws DsaSlurmError `config`
 */
export function checkQueueNames(queues: readonly string[]): void {
  if (queues.length === 0) throw badQueues('There is no queue to consume.', 'Girder publishes to "celery".');
  if (new Set(queues).size < queues.length) {
    throw badQueues('A queue is named twice.', 'Name each queue once.');
  }
  for (const queue of queues) {
    if (queue === 'local') {
      throw badQueues(
        'The queue "local" belongs to the Girder server itself.',
        'Take it off the list of queues; Girder publishes analyses to "celery".',
      );
    }
    const length = Buffer.byteLength(queue);
    if (length < 1 || length > 255 || queue.startsWith('amq.')) {
      throw badQueues(
        `${JSON.stringify(queue.slice(0, 80))} can be no queue name.`,
        'A name has 1 to 255 bytes and does not begin with "amq.".',
      );
    }
  }
}

/**
 * Checks the queue that foreign tasks are forwarded to: a consumed one would bring them straight back.
 * @throws DsaSlurmError `config`
 */
export function checkForwardQueue(forward: string, consumed: readonly string[]): void {
  checkQueueNames([forward]);
  if (consumed.includes(forward)) {
    throw badQueues(
      `broker.forwardQueue names ${JSON.stringify(forward)}, which this worker consumes itself.`,
      'Name a queue that another worker consumes, or leave the setting out.',
    );
  }
}

function badQueues(message: string, next: string): DsaSlurmError {
  return new DsaSlurmError('config', message, { next });
}

/**
 * Declares a task queue exactly as Celery's producers do, because whoever comes second must use the same arguments:
 * durable queue, durable direct exchange and routing key of one name, no arguments (contract, section a).
 */
export async function declareTaskQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertExchange(queue, 'direct', { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, queue, queue);
}

/**
 * Whether a site has declared a task queue as a quorum queue, which Celery's own declaration is refused for. A queue that
 * is not there is made as Celery makes it.
 */
export async function isQuorumQueue(connection: ChannelModel, queue: string): Promise<boolean> {
  // a refused declaration closes its channel
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

/** Uses a task queue that the site has declared, whatever its arguments. */
export async function useTaskQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertExchange(queue, 'direct', { durable: true });
  await channel.checkQueue(queue);
  await channel.bindQueue(queue, queue, queue);
}

/**
 * How the mailbox queue is declared. `celery`: as Celery 5 does, transient and shared. `exclusive`: for brokers that
 * refuse such queues (RabbitMQ 4 can), under a name that the broker chooses: our last connection may still hold the
 * usual name, and requests come through the fanout exchange whatever the queue is called.
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
