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

/** One connection, from the first declaration to its end. */
export interface BrokerSession {
  consumer: TaskConsumer;
  /** Resolves, with the reason, once this connection is of no more use. */
  ended: Promise<Error>;
  /** How full the queues are. */
  queueDepths(): Promise<QueueDepth[]>;
  /** How full one queue is, ours or not; null if it does not exist. */
  queueDepth(queue: string): Promise<QueueDepth | null>;
  /** Closes the connection; waits two seconds at most for the broker's word. */
  close(): Promise<void>;
}

export interface BrokerSessionOptions {
  consumer: TaskConsumerOptions;
  control: Omit<ControlChannelOptions, 'signal'>;
  results: ResultBuffer<ResultMessage>;
  publisher: Publisher;
  events: EventPublisher;
  clock: Clock;
  log: Log;
  /** RabbitMQ stops reading from a connection that publishes while memory or disk run low; null when it is over. */
  onBlocked(reason: string | null): void;
}

/** Declarations take milliseconds; a broker that is silent for this long is not well. */
const openingMs = 30_000;
const closingMs = 2_000;
/** AMQP reply code. */
const internalError = 541;

/** Sets everything up on a fresh connection: remote control, then results, then the flow of tasks. */
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
    // RabbitMQ's policy against transient queues ends the whole connection, so the next one begins without.
    if ((error as { code?: unknown }).code === internalError) mailbox.kind = 'exclusive';
    end(error);
  });
  connection.on('close', (error?: Error) => end(error ?? new Error('The connection was closed')));
  connection.on('handler-error', (error: Error) => log.error({ err: error }, 'defect in a broker listener'));

  const close = async () => {
    end(new Error('The connection was closed by us'));
    const closed = connection.close().catch(() => {
      // it was closed already
    });
    await withTimeout(closingMs, closed, clock);
  };

  const open = async (): Promise<TaskConsumer> => {
    // First, because a broker that refuses the mailbox may end the connection over it.
    await openControlChannel(connection, { ...options.control, signal: over.signal });
    const { publish, ended: resultsEnded } = await openResults(connection);
    void resultsEnded.then(end);
    const intake = await openTaskConsumer(connection, options.consumer);
    results.connect(publish);
    publisher.connect(connection);
    // Nothing depends on it and nothing waits for it.
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
    return intake;
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
    const intake = await Promise.race([open(), lost]);
    void intake.ended.then(end);
    return {
      consumer: intake,
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

/** The way for results: never declares anything, and a caller who is gone is nobody's trouble (contract, section h). */
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
