import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { coerceError } from '../base/errors.js';
import { declareTaskQueue, isQuorumQueue, useTaskQueue } from './amqp/topology.js';
import type { DeliveryHandler, Settlement } from './delivery-handler.js';

/** Consumes the task queues over one channel. */
export interface TaskConsumer {
  /** Starts or stops consuming, as `shouldConsume` says. Calls run one after the other; never rejects. */
  update(): Promise<void>;
  /** Resolves when all deliveries that are being handled now are settled. */
  drained(): Promise<void>;
  /** Resolves with the reason once this channel is no longer usable. */
  ended: Promise<Error>;
}

export interface TaskConsumerOptions {
  queues: readonly string[];
  /** Unsettled deliveries per queue. */
  prefetch: number;
  /** Whether to consume. Call {@link TaskConsumer.update} after it changes. */
  shouldConsume: () => boolean;
  handleDelivery: DeliveryHandler;
}

interface Consumer {
  tag: string;
  /** How many of its unsettled deliveries are parked. */
  parked: number;
}

/** Deliveries that may be parked at one time. When there are more, the whole queue waits. */
const maxParked = 500;

/**
 * Declares the queues and consumes them on one channel. A delivery can only be settled on the channel that it came through;
 * if that channel is gone, the broker delivers it again.
 *
 * RabbitMQ counts unsettled deliveries per consumer. When half of the prefetch of a consumer is parked, a new consumer
 * replaces it, with a fresh count; the deliveries of the canceled consumer can still be settled.
 */
export async function openTaskConsumer(
  connection: ChannelModel,
  options: TaskConsumerOptions,
): Promise<TaskConsumer> {
  const { queues, shouldConsume } = options;
  const channel = await connection.createChannel();
  const { promise: ended, resolve } = Promise.withResolvers<Error>();
  let holding = new AbortController();
  const end = (reason: Error) => {
    holding.abort();
    resolve(reason);
  };
  channel.on('error', end);
  channel.on('close', () => end(new Error('The channel was closed')));

  const inProgress = new Set<Promise<void>>();
  /** By queue. */
  const consumers = new Map<string, Consumer>();
  let totalParked = 0;
  const replaceAt = Math.ceil(options.prefetch / 2);

  const onMessage = (queue: string, consumer: Consumer) => (message: ConsumeMessage | null) => {
    if (message === null) {
      end(new Error(`RabbitMQ canceled the consumer: queue "${queue}" was deleted or moved`));
    } else if (!shouldConsume()) {
      // it was already in transit when consuming stopped
      settle(channel, message, 'requeue');
    } else {
      const work = handle(message, queue, consumer);
      inProgress.add(work);
      void work.finally(() => inProgress.delete(work));
    }
  };

  const handle = async (message: ConsumeMessage, queue: string, consumer: Consumer) => {
    let isParked = false;
    const park = () => {
      if (isParked) return;
      isParked = true;
      totalParked += 1;
      consumer.parked += 1;
      if (consumer.parked >= replaceAt) void enqueue(async () => replace(queue, consumer.tag));
    };
    const settlement = await options.handleDelivery(message, queue, holding.signal, park);
    if (isParked) {
      totalParked -= 1;
      consumer.parked -= 1;
    }
    settle(channel, message, settlement);
  };

  const consume = async (queue: string) => {
    const consumer: Consumer = { tag: randomUUID(), parked: 0 };
    consumers.set(queue, consumer);
    await channel.consume(queue, onMessage(queue, consumer), { consumerTag: consumer.tag });
  };

  const startOrStop = async () => {
    if (shouldConsume() && consumers.size === 0) {
      for (const queue of queues) await consume(queue);
    } else if (!shouldConsume()) {
      const tags = [...consumers.values()].map(({ tag }) => tag);
      consumers.clear();
      for (const tag of tags) await channel.cancel(tag);
    }
  };

  const replace = async (queue: string, tag: string) => {
    const consumer = consumers.get(queue);
    if (consumer?.tag !== tag || consumer.parked < replaceAt || totalParked >= maxParked) return;
    await channel.cancel(tag);
    await consume(queue);
  };

  let last = Promise.resolve();
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work).catch((error: unknown) => end(coerceError(error)));
    return last;
  };

  for (const queue of queues) {
    if (await isQuorumQueue(connection, queue)) await useTaskQueue(channel, queue);
    else await declareTaskQueue(channel, queue);
  }
  // RabbitMQ applies this to each consumer that starts later on this channel
  await channel.prefetch(options.prefetch);
  await startOrStop();

  return {
    ended,
    update() {
      if (!shouldConsume()) {
        // what is requeued now is not delivered to this worker again right away
        holding.abort();
      } else if (holding.signal.aborted) {
        holding = new AbortController();
      }
      return enqueue(startOrStop);
    },
    async drained() {
      await Promise.all(inProgress);
    },
  };
}

function settle(channel: Channel, message: ConsumeMessage, settlement: Settlement): void {
  try {
    switch (settlement) {
      case 'ack':
        return channel.ack(message);
      case 'reject':
        return channel.reject(message, false);
      case 'requeue':
        return channel.nack(message, false, true);
    }
  } catch {
    // the channel is closed; the broker delivers the message again
  }
}
