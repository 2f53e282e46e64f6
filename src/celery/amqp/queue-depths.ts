import type { ChannelModel } from 'amqplib';
import { coerceError } from '../../base/errors.js';

/** What waits in a queue at the broker. */
export interface QueueDepth {
  queue: string;
  /** Messages that nobody has in hand. */
  ready: number;
  /** Workers that listen to it. */
  consumers: number;
}

/** AMQP reply code. */
const notFound = 404;

/** Asks how full one queue is; null if it does not exist. */
export async function queueDepth(connection: ChannelModel, queue: string): Promise<QueueDepth | null> {
  try {
    return (await queueDepths(connection, [queue]))[0] ?? null;
  } catch (error) {
    if ((coerceError(error) as { code?: unknown }).code === notFound) return null;
    throw error;
  }
}

/** Asks how full the queues are, on a channel of its own: a queue that is gone ends the channel that asks for it. */
export async function queueDepths(
  connection: ChannelModel,
  queues: readonly string[],
): Promise<QueueDepth[]> {
  const channel = await connection.createChannel();
  channel.on('error', () => {
    // the question is rejected as well
  });
  try {
    const depths: QueueDepth[] = [];
    for (const queue of queues) {
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      depths.push({ queue, ready: messageCount, consumers: consumerCount });
    }
    return depths;
  } finally {
    await channel.close().catch(() => undefined);
  }
}
