import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { backoffDelay } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import { coerceError, DsaSlurmError, errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { fitsIntoFrame } from './amqp/amqplib.js';
import { declareTaskQueue } from './amqp/topology.js';

/** A message for another worker's queue. Holds tokens: never log it. */
export interface OutgoingMessage {
  /** Empty (the default exchange) for everything that Celery publishes to a queue; the routing key is then the queue name. */
  exchange: string;
  routingKey: string;
  /** Including the headers. */
  properties: Options.Publish;
  content: Buffer;
}

/** Publishes messages that must not be lost, with publisher confirms. */
export interface Publisher {
  /**
   * Resolves once the broker has confirmed the message; waits while there is no connection. After a broken connection
   * the message is sent again, so it may arrive twice, with the same id.
   * @param onRetry called with the reason each time publishing failed and will be retried
   * @throws DsaSlurmError `broker` if no queue accepts the message or the broker forbids it; the reason of `signal` when
   * that aborts
   */
  publish(message: OutgoingMessage, signal: AbortSignal, onRetry?: (reason: string) => void): Promise<void>;
  /** Sets the connection to publish through; null: there is none. */
  connect(connection: ChannelModel | null): void;
}

export function createPublisher({ clock, log }: { clock: Clock; log: Log }): Publisher {
  let current: ChannelModel | null = null;
  let change = Promise.withResolvers<void>();

  const connected = async (signal: AbortSignal): Promise<ChannelModel> => {
    for (;;) {
      if (current !== null) return current;
      await orAborted(change.promise, signal);
    }
  };

  return {
    async publish(message, signal, onRetry) {
      for (let failures = 0; ; failures += 1) {
        signal.throwIfAborted();
        const connection = await connected(signal);
        try {
          await orAborted(publishThrough(connection, message), signal);
          return;
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof DsaSlurmError) throw error;
          log.warn({ queue: message.routingKey, err: coerceError(error) }, 'publishing failed, retrying');
          onRetry?.(errorLine(error));
          await clock.sleep(backoffDelay(failures, { initialMs: 500, maxMs: 30_000 }), signal);
        }
      }
    },
    connect(connection) {
      current = connection;
      change.resolve();
      change = Promise.withResolvers<void>();
    },
  };
}

/** Uses one channel per message: messages are few, and the broker closes a channel when it refuses something. */
async function publishThrough(connection: ChannelModel, message: OutgoingMessage): Promise<void> {
  const { exchange, routingKey, content } = message;
  const headers = withoutCopies((message.properties.headers ?? {}) as Record<string, unknown>);
  const properties = { ...message.properties, headers, mandatory: true };
  if (!fits(connection, message, properties)) {
    throw refused(message, 'Its headers are larger than RabbitMQ allows.');
  }
  if (exchange === '') await declareIfMissing(connection, routingKey);
  await onChannel(connection, async (channel) => {
    let isReturned = false;
    channel.on('return', () => {
      isReturned = true;
    });
    // RabbitMQ returns an unroutable message before it confirms it
    await new Promise<void>((resolve, reject) => {
      channel.publish(exchange, routingKey, content, properties, (error: unknown) => {
        if (error === null || error === undefined) resolve();
        else reject(coerceError(error));
      });
    });
    if (isReturned) throw refused(message, 'No queue accepts it.');
  }).catch((error: unknown) => {
    const { code } = error as { code?: unknown };
    if (code === 404) throw refused(message, 'The exchange does not exist.');
    if (code === 403) throw refused(message, 'The RabbitMQ user of this worker lacks the permission.');
    throw error;
  });
}

/**
 * Removes the headers that make RabbitMQ copy a message to further queues: forwarding a message that came from such a queue
 * would bring it back forever.
 */
function withoutCopies(headers: Record<string, unknown>): Record<string, unknown> {
  if (!('CC' in headers) && !('BCC' in headers)) return headers;
  const { CC: _cc, BCC: _bcc, ...others } = headers;
  return others;
}

function fits(connection: ChannelModel, message: OutgoingMessage, properties: Options.Publish): boolean {
  try {
    return fitsIntoFrame(connection, properties);
  } catch (error) {
    throw refused(message, `It cannot be encoded: ${errorLine(error)}`);
  }
}

/** As Celery's producers do. A queue that exists with other arguments, or that may not be declared, is used as it is. */
async function declareIfMissing(connection: ChannelModel, queue: string): Promise<void> {
  try {
    await onChannel(connection, async (channel) => declareTaskQueue(channel, queue));
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== 403 && code !== 406) throw error;
  }
}

async function onChannel(
  connection: ChannelModel,
  work: (channel: ConfirmChannel) => Promise<void>,
): Promise<void> {
  const channel = await connection.createConfirmChannel();
  const { promise: lost, reject } = Promise.withResolvers<never>();
  channel.on('error', reject);
  channel.on('close', () => reject(new Error('The channel was closed')));
  try {
    await Promise.race([work(channel), lost]);
  } catch (error) {
    void channel.close().catch(() => undefined); // usually closed already
    throw error;
  }
  await channel.close();
}

function refused({ exchange, routingKey }: OutgoingMessage, reason: string): DsaSlurmError {
  const where =
    exchange === '' ? `queue ${JSON.stringify(routingKey)}` : `exchange ${JSON.stringify(exchange)}`;
  return new DsaSlurmError('broker', `A task could not be published to ${where}. ${reason}`);
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(coerceError(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
