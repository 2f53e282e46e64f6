import type { Clock } from '../base/clock.js';
import { coerceError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { backoffDelay } from '../base/backoff.js';
import { unreadableReason } from './amqp/read-field-table.js';
import type { Forward } from './task-forwarder.js';
import { MessageRefused, readTask, type Delivery, type Refusal } from './messages/read-task.js';
import type { Task } from './messages/task.js';

/** How to settle a delivery: `ack`, `reject` (drop it) or `requeue`. */
export type Settlement = 'ack' | 'reject' | 'requeue';

/**
 * Decides about one delivery. Resolves when it can be settled; never rejects.
 * @param signal aborts waiting, when the consumer stops or its channel is gone
 * @param park call it when the delivery will be held for long for a reason outside this worker; it then no longer counts
 * against prefetch
 */
export type DeliveryHandler = (
  delivery: Delivery,
  queue: string,
  signal: AbortSignal,
  park: () => void,
) => Promise<Settlement>;

export interface DeliveryHandlerOptions {
  onTask: (task: Task) => Promise<void>;
  onRefused: (refusal: Refusal) => Promise<void>;
  /** Forwards tasks that this worker does not run; null: it runs all tasks. */
  forward: Forward | null;
  clock: Clock;
  log: Log;
}

/**
 * Creates the handler that decides about every delivery.
 *
 * A task that could not be accepted (a full disk, for example) is held before it is requeued, longer with each consecutive
 * failure. Held deliveries count against prefetch, so the whole queue slows down. A task that only waits for the forward
 * queue is parked instead.
 */
export function createDeliveryHandler(options: DeliveryHandlerOptions): DeliveryHandler {
  const { clock, log } = options;
  let failures = 0;
  return async (delivery, queue, signal, park) => {
    try {
      const settlement = await handleDelivery(delivery, queue, options, signal, park);
      failures = 0;
      return settlement;
    } catch (error) {
      const holdMs = backoffDelay(failures, { initialMs: 1_000, maxMs: 30_000 });
      failures += 1;
      log.error({ err: coerceError(error), queue, holdMs }, 'message not accepted, will be requeued');
      await clock.sleep(holdMs, signal);
      return 'requeue';
    }
  };
}

async function handleDelivery(
  delivery: Delivery,
  queue: string,
  { onTask, onRefused, forward }: DeliveryHandlerOptions,
  signal: AbortSignal,
  park: () => void,
): Promise<Settlement> {
  let task: Task;
  try {
    task = readTask(delivery, queue);
  } catch (error) {
    if (!(error instanceof MessageRefused)) throw error;
    const foreign = foreignTask(error.refusal, delivery);
    if (forward !== null && foreign !== null && (await forward(foreign, delivery, signal, park)))
      return 'ack';
    await onRefused(error.refusal);
    return 'reject';
  }
  if (forward !== null && (await forward(task, delivery, signal, park))) return 'ack';
  await onTask(task);
  return 'ack';
}

/**
 * The id and name of a refused message, which is enough to forward it: a task in another serialization, such as pickle, may
 * be valid for another worker. Null if they could not be read.
 */
export function foreignTask(
  { id, name }: Refusal,
  { properties }: Delivery,
): Pick<Task, 'id' | 'name'> | null {
  if (id === null || name === null || unreadableReason(properties.headers ?? {}) !== null) return null;
  return { id, name };
}
