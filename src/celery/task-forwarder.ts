import type { Options } from 'amqplib';
import { backoffDelay } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Delivery } from './messages/read-task.js';
import type { Publisher } from './publisher.js';
import type { Task } from './messages/task.js';

/**
 * Forwards a task that this worker does not run. Resolves with true once the broker has confirmed it for the forward queue,
 * with false if this worker runs it.
 * @param park called when forwarding takes long because the queue does not accept the task now
 * @throws DsaSlurmError `broker` if the queue has not accepted it for {@link maxForwardMs}; the reason of `signal` when
 * that aborts
 */
export type Forward = (
  task: Pick<Task, 'id' | 'name'>,
  delivery: Delivery,
  signal: AbortSignal,
  park: () => void,
) => Promise<boolean>;

export interface ForwarderOptions {
  queue: string;
  canRun: (taskName: string) => boolean;
  publisher: Publisher;
  /** Called on every change: how many tasks wait for the forward queue, and why the latest one does; null: none. */
  onWaiting: (waiting: { count: number; reason: string } | null) => void;
  clock: Clock;
  log: Log;
}

/** Well below RabbitMQ's consumer timeout: it closes a channel on which a delivery is unsettled for 30 minutes. */
export const maxForwardMs = 10 * 60_000;

export function createForwarder(options: ForwarderOptions): Forward {
  const { queue, canRun, publisher, onWaiting, clock, log } = options;
  let waiting = 0;

  return async (task, delivery, signal, park) => {
    if (canRun(task.name)) return false;
    const message = {
      exchange: '',
      routingKey: queue,
      properties: forwardedProperties(delivery.properties),
      content: delivery.content,
    };
    const began = clock.monotonic();
    let isWaiting = false;
    const wait = (reason: string): void => {
      if (!isWaiting) {
        isWaiting = true;
        waiting += 1;
        log.warn({ task: task.name, id: task.id, queue, reason }, 'task waits to be forwarded');
        park();
      }
      onWaiting({ count: waiting, reason });
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
 * The properties of the delivery, unchanged. Only `userId` is left out: RabbitMQ refuses it from any other user than the
 * original publisher.
 */
function forwardedProperties(properties: Delivery['properties']): Options.Publish {
  return Object.fromEntries(
    Object.entries(properties).filter(
      ([name, value]) => value !== undefined && name !== 'userId' && name !== 'clusterId',
    ),
  );
}
