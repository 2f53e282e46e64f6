import type { ChannelModel } from 'amqplib';
import { coerceError } from '../../base/errors.js';

/** Message and consumer counts of a queue. */
export interface QueueDepth {
  queue: string;
  /** Messages that are not delivered to a worker yet. */
  ready: number;
  /** Workers that consume it. */
  consumers: number;
}

/** AMQP reply code. */
const notFound = 404;

/** Returns the depth of one queue; null if it does not exist. */
export async function queueDepth(connection: ChannelModel, queue: string): Promise<QueueDepth | null> {
  try {
    return (await queueDepths(connection, [queue]))[0] ?? null;
  } catch (error) {
    if ((coerceError(error) as { code?: unknown }).code === notFound) return null;
    throw error;
  }
}

/** Returns the depths of the queues. Uses a separate channel, because asking for a missing queue closes the channel. */
export async function queueDepths(
  connection: ChannelModel,
  queues: readonly string[],
): Promise<QueueDepth[]> {
  const channel = await connection.createChannel();
  channel.on('error', () => {
    // `checkQueue` rejects with it
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
