import type { Options } from 'amqplib';
import { backoffDelay } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Delivery } from './messages/read-task.js';
import type { Publisher } from './publisher.js';
import type { Task } from './messages/task.js';

/**
 * Hands a task on that is not ours. Resolves with true once another queue has it for certain, with false if it is ours.
 * @param aside called as soon as it is known that this takes long, because no queue takes it just now
 * @throws DsaSlurmError `broker` if none has taken it for {@link maxForwardMs}; the reason of `signal` when that aborts
 */
export type Forward = (
  task: Pick<Task, 'id' | 'name'>,
  delivery: Delivery,
  signal: AbortSignal,
  aside: () => void,
) => Promise<boolean>;

export interface ForwarderOptions {
  queue: string;
  canRun: (taskName: string) => boolean;
  publisher: Publisher;
  /** Told of every change: how many tasks wait for that queue, and why the last of them does. */
  onWaiting: (waiting: { count: number; why: string } | null) => void;
  clock: Clock;
  log: Log;
}

/** RabbitMQ ends a channel on which a delivery is not settled for half an hour. */
export const maxForwardMs = 10 * 60_000;

export function createForwarder(options: ForwarderOptions): Forward {
  const { queue, canRun: isOurs, publisher, onWaiting, clock, log } = options;
  let waiting = 0;

  return async (task, delivery, signal, aside) => {
    if (isOurs(task.name)) return false;
    const message = {
      exchange: '',
      routingKey: queue,
      properties: unchanged(delivery.properties),
      content: delivery.content,
    };
    const began = clock.monotonic();
    let isWaiting = false;
    const wait = (why: string): void => {
      if (!isWaiting) {
        isWaiting = true;
        waiting += 1;
        log.warn({ task: task.name, id: task.id, queue, why }, 'a task that is not ours waits');
        aside();
      }
      onWaiting({ count: waiting, why });
    };
    try {
      for (let failures = 0; ; failures += 1) {
        try {
          await publisher.publish(message, signal, wait);
          break;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof DsaSlurmError) || clock.monotonic() - began >= maxForwardMs) throw error;
          wait(errorLine(error));
          await clock.sleep(backoffDelay(failures, { initialMs: 1_000, maxMs: 30_000 }), signal);
          signal.throwIfAborted();
        }
      }
    } finally {
      if (isWaiting) {
        waiting -= 1;
        if (waiting === 0) onWaiting(null);
      }
    }
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
