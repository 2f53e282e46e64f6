import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { coerceError } from '../base/errors.js';
import { declareTaskQueue, isQuorumQueue, useTaskQueue } from './amqp/topology.js';
import type { Settlement } from './delivery-handler.js';

/** The flow of tasks over one channel. */
export interface TaskConsumer {
  /** Starts or stops consuming, as `isOpen` says. Calls are done one after the other; never rejects. */
  update(): Promise<void>;
  /** Resolves when every delivery in hand is settled. */
  drained(): Promise<void>;
  /** Resolves, with the reason, once this channel is of no more use. */
  ended: Promise<Error>;
}

export interface TaskConsumerOptions {
  queues: readonly string[];
  /** Unsettled deliveries of each queue. */
  prefetch: number;
  /** Whether tasks are to flow. After a change {@link TaskConsumer.update} is called. */
  shouldConsume: () => boolean;
  /**
   * Never rejects. May hold a delivery until `signal` aborts. `aside` says that it is going to be held for long over
   * something that is no trouble of ours, and shall keep no other back.
   */
  handleDelivery: (
    delivery: ConsumeMessage,
    queue: string,
    signal: AbortSignal,
    aside: () => void,
  ) => Promise<Settlement>;
}

/** `aside`: how many of its unsettled deliveries are set aside. */
interface Consumer {
  tag: string;
  parked: number;
}

/** Deliveries that may be set aside at one time; with more of them the queue as a whole waits. */
export const maxParked = 500;

/**
 * Declares the queues and consumes them. Everything here belongs to one channel: a delivery is settled on the channel
 * that it came through or not at all, and if that channel is gone the broker delivers it again.
 *
 * RabbitMQ counts unsettled deliveries by consumer. Once many of a consumer's are set aside it is replaced by another one,
 * whose count begins anew, while what the old one was given is still ours to settle.
 */
export async function openTaskConsumer(
  connection: ChannelModel,
  options: TaskConsumerOptions,
): Promise<TaskConsumer> {
  const { queues, shouldConsume: isOpen } = options;
  const channel = await connection.createChannel();
  const { promise: ended, resolve } = Promise.withResolvers<Error>();
  let holding = new AbortController();
  const end = (reason: Error) => {
    holding.abort();
    resolve(reason);
  };
  channel.on('error', end);
  channel.on('close', () => end(new Error('The channel was closed')));

  const inHand = new Set<Promise<void>>();
  /** By queue. */
  const consumers = new Map<string, Consumer>();
  let allAside = 0;
  const manyAside = Math.ceil(options.prefetch / 2);

  const onMessage = (queue: string, consumer: Consumer) => (message: ConsumeMessage | null) => {
    if (message === null) {
      end(new Error(`RabbitMQ cancelled the consumer: queue "${queue}" was deleted or has moved`));
    } else if (!isOpen()) {
      // It was under way when the intake was closed.
      settle(channel, message, 'requeue');
    } else {
      let isAside = false;
      const aside = () => {
        if (isAside) return;
        isAside = true;
        allAside += 1;
        consumer.parked += 1;
        if (consumer.parked >= manyAside) void inTurn(async () => replace(queue, consumer.tag));
      };
      const work = (async () => {
        const verdict = await options.handleDelivery(message, queue, holding.signal, aside);
        if (isAside) {
          allAside -= 1;
          consumer.parked -= 1;
        }
        settle(channel, message, verdict);
      })();
      inHand.add(work);
      void work.finally(() => inHand.delete(work));
    }
  };

  const consume = async (queue: string) => {
    const consumer: Consumer = { tag: randomUUID(), parked: 0 };
    consumers.set(queue, consumer);
    await channel.consume(queue, onMessage(queue, consumer), { consumerTag: consumer.tag });
  };

  const apply = async () => {
    if (isOpen() && consumers.size === 0) {
      for (const queue of queues) await consume(queue);
    } else if (!isOpen()) {
      const tags = [...consumers.values()].map(({ tag }) => tag);
      consumers.clear();
      for (const tag of tags) await channel.cancel(tag);
    }
  };

  const replace = async (queue: string, tag: string) => {
    const consumer = consumers.get(queue);
    if (consumer?.tag !== tag || consumer.parked < manyAside || allAside >= maxParked) return;
    await channel.cancel(tag);
    await consume(queue);
  };

  let turn = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work).catch((error: unknown) => end(coerceError(error)));
    return turn;
  };

  for (const queue of queues) {
    if (await isQuorumQueue(connection, queue)) await useTaskQueue(channel, queue);
    else await declareTaskQueue(channel, queue);
  }
  // RabbitMQ applies this to each consumer that starts from now on.
  await channel.prefetch(options.prefetch);
  await apply();

  return {
    ended,
    update() {
      if (!isOpen()) {
        // What goes back to the queue now does not come straight here again.
        holding.abort();
      } else if (holding.signal.aborted) {
        holding = new AbortController();
      }
      return inTurn(apply);
    },
    async drained() {
      await Promise.all(inHand);
    },
  };
}

function settle(channel: Channel, message: ConsumeMessage, verdict: Settlement): void {
  try {
    switch (verdict) {
      case 'ack':
        return channel.ack(message);
      case 'reject':
        return channel.reject(message, false);
      case 'requeue':
        return channel.nack(message, false, true);
    }
  } catch {
    // The channel is closed. The broker has the message and delivers it again.
  }
}
