import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { coerceError } from '../base/errors.js';
import { declareTaskQueue } from './topology.js';
import type { Verdict } from './settle.js';

/** The flow of tasks over one channel. */
export interface Intake {
  /** Starts or stops consuming, as `isOpen` says. Calls are done one after the other; never rejects. */
  adjust(): Promise<void>;
  /** Resolves when every delivery in hand is settled. */
  settled(): Promise<void>;
  /** Resolves, with the reason, once this channel is of no more use. */
  ended: Promise<Error>;
}

export interface IntakeOptions {
  queues: readonly string[];
  /** Unsettled deliveries of each queue. */
  prefetch: number;
  /** Whether tasks are to flow. After a change {@link Intake.adjust} is called. */
  isOpen: () => boolean;
  /** Never rejects. May hold a delivery until `signal` aborts. */
  settle: (delivery: ConsumeMessage, queue: string, signal: AbortSignal) => Promise<Verdict>;
}

/**
 * Declares the queues and consumes them. Everything here belongs to one channel: a delivery is settled on the channel
 * that it came through or not at all, and if that channel is gone the broker delivers it again.
 */
export async function openIntake(connection: ChannelModel, options: IntakeOptions): Promise<Intake> {
  const { queues, isOpen } = options;
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
  const tags: string[] = [];

  const onMessage = (queue: string) => (message: ConsumeMessage | null) => {
    if (message === null) {
      end(new Error(`RabbitMQ cancelled the consumer: queue "${queue}" was deleted or has moved`));
    } else if (!isOpen()) {
      // It was under way when the intake was closed.
      settle(channel, message, 'requeue');
    } else {
      const work = (async () => {
        const verdict = await options.settle(message, queue, holding.signal);
        settle(channel, message, verdict);
      })();
      inHand.add(work);
      void work.finally(() => inHand.delete(work));
    }
  };

  const apply = async () => {
    if (isOpen() && tags.length === 0) {
      for (const queue of queues) {
        const { consumerTag } = await channel.consume(queue, onMessage(queue));
        tags.push(consumerTag);
      }
    } else if (!isOpen()) {
      for (const tag of tags.splice(0)) await channel.cancel(tag);
    }
  };

  for (const queue of queues) await declareTaskQueue(channel, queue);
  // RabbitMQ applies this to each consumer that starts from now on.
  await channel.prefetch(options.prefetch);
  await apply();

  let turn = Promise.resolve();
  return {
    ended,
    adjust() {
      if (!isOpen()) {
        // What goes back to the queue now does not come straight here again.
        holding.abort();
      } else if (holding.signal.aborted) {
        holding = new AbortController();
      }
      turn = turn.then(apply).catch((error: unknown) => end(coerceError(error)));
      return turn;
    },
    async settled() {
      await Promise.all(inHand);
    },
  };
}

function settle(channel: Channel, message: ConsumeMessage, verdict: Verdict): void {
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
