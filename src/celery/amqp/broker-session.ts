import type { ChannelModel } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { openControlChannel, type ControlChannelOptions } from '../control/control-channel.js';
import type { EventPublisher } from '../control/events.js';
import { openTaskConsumer, type TaskConsumer, type TaskConsumerOptions } from '../task-consumer.js';
import type { ResultBuffer } from '../result-buffer.js';
import type { Publisher } from '../publisher.js';
import { queueDepth, queueDepths, type QueueDepth } from './queue-depths.js';
import type { ResultMessage } from '../messages/results.js';
import { withTimeout } from './with-timeout.js';

/** One connection and everything that is declared on it. */
export interface BrokerSession {
  consumer: TaskConsumer;
  /** Resolves with the reason once this connection is no longer usable. */
  ended: Promise<Error>;
  /** Depths of the consumed queues. */
  queueDepths(): Promise<QueueDepth[]>;
  /** Depth of any one queue; null if it does not exist. */
  queueDepth(queue: string): Promise<QueueDepth | null>;
  /** Closes the connection; waits at most two seconds for the broker. */
  close(): Promise<void>;
}

interface BrokerSessionOptions {
  consumer: TaskConsumerOptions;
  control: Omit<ControlChannelOptions, 'signal'>;
  results: ResultBuffer<ResultMessage>;
  publisher: Publisher;
  events: EventPublisher;
  clock: Clock;
  log: Log;
  /** Called when RabbitMQ blocks publishers because memory or disk space is low; with null when it unblocks them. */
  onBlocked(reason: string | null): void;
}

/** Declarations take milliseconds; a broker that needs this long is not healthy. */
const openingMs = 30_000;
const closingMs = 2_000;
/** AMQP reply code. */
const internalError = 541;

/** Sets up a new connection: remote control, then results, then the task consumer. */
export async function openBrokerSession(
  connection: ChannelModel,
  options: BrokerSessionOptions,
): Promise<BrokerSession> {
  const { clock, log, results, publisher, events } = options;
  const { mailbox } = options.control;
  const over = new AbortController();
  const { promise: ended, resolve } = Promise.withResolvers<Error>();
  const end = (reason: Error) => {
    resolve(reason);
    over.abort();
    results.connect(null);
    publisher.connect(null);
  };
  connection.on('error', (error: Error) => {
    // a RabbitMQ that denies transient queues closes the connection, so the next one must not use them
    if ((error as { code?: unknown }).code === internalError) mailbox.kind = 'exclusive';
    end(error);
  });
  connection.on('close', (error?: Error) => end(error ?? new Error('The connection was closed')));
  connection.on('handler-error', (error: Error) =>
    log.error({ err: error }, 'bug in a broker event listener'),
  );

  const close = async () => {
    end(new Error('The connection was closed by this worker'));
    const closed = connection.close().catch(() => {
      // already closed
    });
    await withTimeout(closingMs, closed, clock);
  };

  const open = async (): Promise<TaskConsumer> => {
    // first, because a broker that refuses the mailbox may close the connection
    await openControlChannel(connection, { ...options.control, signal: over.signal });
    const { publish, ended: resultsEnded } = await openResults(connection);
    void resultsEnded.then(end);
    const consumer = await openTaskConsumer(connection, options.consumer);
    results.connect(publish);
    publisher.connect(connection);
    // not awaited: nothing depends on events
    void events.connect(connection, over.signal);
    connection.on('blocked', (reason: string) => {
      results.connect(null);
      events.setBlocked(true);
      options.onBlocked(reason);
    });
    connection.on('unblocked', () => {
      results.connect(publish);
      events.setBlocked(false);
      options.onBlocked(null);
    });
    return consumer;
  };

  const opened = new AbortController();
  const limitOpening = async () => {
    await clock.sleep(openingMs, opened.signal);
    if (!opened.signal.aborted) end(new Error(`RabbitMQ did not answer within ${openingMs / 1_000} s`));
  };
  try {
    void limitOpening();
    const lost = ended.then((reason) => {
      throw reason;
    });
    const consumer = await Promise.race([open(), lost]);
    void consumer.ended.then(end);
    return {
      consumer,
      ended,
      queueDepths: async () => queueDepths(connection, options.consumer.queues),
      queueDepth: async (queue) => queueDepth(connection, queue),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  } finally {
    opened.abort();
  }
}

/** Opens the channel for results. Declares nothing; a result whose caller is gone is dropped (contract, section h). */
async function openResults(connection: ChannelModel) {
  const channel = await connection.createChannel();
  const { promise: ended, resolve: end } = Promise.withResolvers<Error>();
  channel.on('error', end);
  channel.on('close', () => end(new Error('The channel for results was closed')));
  const publish = ({ queue, correlationId, content }: ResultMessage) => {
    channel.publish('', queue, content, {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId,
      deliveryMode: 1,
      priority: 0,
      headers: {},
    });
  };
  return { publish, ended };
}
