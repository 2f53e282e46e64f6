import type { Options } from 'amqplib';
import type { Log } from '../base/log.js';
import type { Delivery } from './message.js';
import type { Publisher } from './publisher.js';
import type { Task } from './task.js';

/**
 * Hands a task on that is not ours. Resolves with true once another queue has it for certain, with false if it is ours.
 * @throws DsaSlurmError `broker` if no queue takes it; the reason of `signal` when that aborts
 */
export type Forward = (task: Task, delivery: Delivery, signal: AbortSignal) => Promise<boolean>;

export function createForwarder(
  { queue, isOurs }: { queue: string; isOurs: (taskName: string) => boolean },
  { publisher, log }: { publisher: Publisher; log: Log },
): Forward {
  return async (task, delivery, signal) => {
    if (isOurs(task.name)) return false;
    const properties = unchanged(delivery.properties);
    await publisher.publish(
      { exchange: '', routingKey: queue, properties, content: delivery.content },
      signal,
    );
    log.info({ task: task.name, id: task.id, queue }, 'forwarded');
    return true;
  };
}

/**
 * The properties as they came, for amqplib, which writes out those that have a value. Only the publisher's `userId` is
 * left out: RabbitMQ takes it from nobody else than that user.
 */
function unchanged(properties: Delivery['properties']): Options.Publish {
  return Object.fromEntries(
    Object.entries(properties).filter(
      ([name, value]) => value !== undefined && name !== 'userId' && name !== 'clusterId',
    ),
  );
}
