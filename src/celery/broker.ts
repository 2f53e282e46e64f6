import type { TaskEvent } from './control/events.js';
import type { OutgoingMessage } from './publisher.js';
import type { QueueDepth } from './amqp/queue-depths.js';
import type { ResultTask } from './messages/results.js';
import type { TaskResult } from './messages/task.js';

export type { ControlTarget, ControlTask } from './control/control-target.js';
export type { Refusal } from './messages/read-task.js';
export type { OutgoingMessage } from './publisher.js';
export type { QueueDepth } from './amqp/queue-depths.js';

/** How it stands with the broker, for the health line. */
export interface BrokerStatus {
  state: 'connecting' | 'consuming' | 'paused' | 'disconnected' | 'closed';
  /** When this state began. */
  since: number;
  /** The last trouble, in words for the operator; null once connected again. */
  trouble: string | null;
}

/** The broker as the worker sees it. */
export interface Broker {
  /**
   * Connects and consumes, and from then on reconnects by itself.
   * @throws DsaSlurmError `broker` if the very first connection is refused for a reason that waiting does not mend:
   * credentials, virtual host, a queue that exists with other arguments, an URL that is none.
   */
  start(): Promise<void>;
  /** Stops the flow of tasks; remote control goes on. */
  pauseIntake(): Promise<void>;
  resumeIntake(): Promise<void>;
  /** Publishes the result for a waiting caller. Best effort: a caller that is gone is no error. */
  publishResult(task: ResultTask, result: TaskResult): Promise<void>;
  /**
   * Publishes a task of our own, confirmed by the broker; waits for as long as there is none.
   * @throws DsaSlurmError `broker` if no queue takes it; the reason of `signal` when that aborts.
   */
  publish(message: OutgoingMessage, signal: AbortSignal): Promise<void>;
  /** For Flower and its like; dropped if nobody is to hear it. */
  publishTaskEvent(event: TaskEvent): void;
  /** How full the queues are. Rejects while there is no connection. */
  queueDepths(): Promise<QueueDepth[]>;
  /** How full one queue is, ours or not; null if it does not exist. Rejects while there is no connection. */
  queueDepth(queue: string): Promise<QueueDepth | null>;
  status(): BrokerStatus;
  close(): Promise<void>;
}
