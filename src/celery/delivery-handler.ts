import type { Clock } from '../base/clock.js';
import { coerceError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { backoffDelay } from '../base/backoff.js';
import { unreadableReason } from './amqp/read-field-table.js';
import type { Forward } from './task-forwarder.js';
import { MessageRefused, readTask, type Delivery, type Refusal } from './messages/read-task.js';
import type { Task } from './messages/task.js';

/** What is to become of a delivery: off the queue as done, off the queue as refused, or back into the queue. */
export type Settlement = 'ack' | 'reject' | 'requeue';

export interface DeliveryHandlerOptions {
  onTask: (task: Task) => Promise<void>;
  onRefused: (refusal: Refusal) => Promise<void>;
  /** Hands on what is not ours; null: everything is. */
  forward: Forward | null;
  clock: Clock;
  log: Log;
}

/**
 * The one place that decides about deliveries. Resolves when the delivery may be settled; never rejects.
 *
 * A task that could not be taken over (a full disk, say) is held for a while before it goes back, longer with each
 * failure in a row. Held deliveries count against the prefetch limit, so the queue as a whole slows down as well. An
 * abort of `signal` ends the holding. A task that only waits for somebody else's queue is set aside instead.
 */
export function createDeliveryHandler({ onTask, onRefused, forward, clock, log }: DeliveryHandlerOptions) {
  let failures = 0;
  return async (
    delivery: Delivery,
    queue: string,
    signal: AbortSignal,
    aside: () => void,
  ): Promise<Settlement> => {
    try {
      const verdict = await handleDelivery(delivery, queue, { onTask, onRefused, forward }, signal, aside);
      failures = 0;
      return verdict;
    } catch (error) {
      const holdMs = backoffDelay(failures, { initialMs: 1_000, maxMs: 30_000 });
      failures += 1;
      log.error({ err: coerceError(error), queue, holdMs }, 'message not taken over, goes back to the queue');
      await clock.sleep(holdMs, signal);
      return 'requeue';
    }
  };
}

async function handleDelivery(
  delivery: Delivery,
  queue: string,
  { onTask, onRefused, forward }: Omit<DeliveryHandlerOptions, 'clock' | 'log'>,
  signal: AbortSignal,
  aside: () => void,
): Promise<Settlement> {
  let task: Task;
  try {
    task = readTask(delivery, queue);
  } catch (error) {
    if (!(error instanceof MessageRefused)) throw error;
    const foreign = foreignTask(error.refusal, delivery);
    if (forward !== null && foreign !== null && (await forward(foreign, delivery, signal, aside)))
      return 'ack';
    await onRefused(error.refusal);
    return 'reject';
  }
  if (forward !== null && (await forward(task, delivery, signal, aside))) return 'ack';
  await onTask(task);
  return 'ack';
}

/** What cannot be read here may be a task for others all the same, in pickle for example: to hand it on, its name is enough. */
export function foreignTask(
  { id, name }: Refusal,
  { properties }: Delivery,
): Pick<Task, 'id' | 'name'> | null {
  if (id === null || name === null || unreadableReason(properties.headers ?? {}) !== null) return null;
  return { id, name };
}
