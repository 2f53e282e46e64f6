import type { TaskEvent } from './control/events.js';
import type { OutgoingMessage } from './publisher.js';
import type { QueueDepth } from './amqp/queue-depths.js';
import type { ResultTask } from './messages/results.js';
import type { TaskResult } from './messages/task.js';

export type { ControlTarget, ControlTask } from './control/control-target.js';
export type { Refusal } from './messages/read-task.js';
export type { OutgoingMessage } from './publisher.js';
export type { QueueDepth } from './amqp/queue-depths.js';

/** State of the broker connection, for the health line. */
export interface BrokerStatus {
  state: 'connecting' | 'consuming' | 'paused' | 'disconnected' | 'closed';
  /** When this state began, in milliseconds since the epoch. */
  since: number;
  /** The last problem, as a sentence for the operator; null once connected again. */
  problem: string | null;
}

/** The broker as the worker sees it. */
export interface Broker {
  /**
   * Connects and starts consuming; reconnects automatically from then on.
   * @throws DsaSlurmError `broker` if the very first connection fails for a permanent reason: credentials, virtual
   * host, a queue that exists with other arguments, an invalid URL.
   */
  start(): Promise<void>;
  /** Stops consuming tasks; remote control keeps working. */
  pauseConsuming(): Promise<void>;
  resumeConsuming(): Promise<void>;
  /** Publishes the result for a waiting caller. Best effort: it is not an error if the caller is gone. */
  publishResult(task: ResultTask, result: TaskResult): Promise<void>;
  /**
   * Publishes a task and waits for the broker's confirmation, if necessary until the broker is reachable again.
   * @throws DsaSlurmError `broker` if no queue accepts it; the reason of `signal` when that aborts.
   */
  publish(message: OutgoingMessage, signal: AbortSignal): Promise<void>;
  /** For Flower and similar monitors; dropped while task events are off or there is no connection. */
  publishTaskEvent(event: TaskEvent): void;
  /** Depths of the consumed queues. Rejects while there is no connection. */
  queueDepths(): Promise<QueueDepth[]>;
  /** Depth of any one queue; null if it does not exist. Rejects while there is no connection. */
  queueDepth(queue: string): Promise<QueueDepth | null>;
  status(): BrokerStatus;
  close(): Promise<void>;
}
