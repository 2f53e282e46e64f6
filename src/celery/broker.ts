import type { Task, TaskResult } from './task.js';

/** How it stands with the broker, for the health line. */
export interface BrokerStatus {
  state: 'connecting' | 'consuming' | 'paused' | 'disconnected' | 'closed';
  /** When this state began. */
  since: number;
  /** The last trouble, in words for the operator; null once connected again. */
  trouble: string | null;
}

/** A message that is no task for us: it is taken off the queue, and this record is all that stays. */
export interface Refusal {
  queue: string;
  /** Task id and name, as far as they could be read. */
  id: string | null;
  name: string | null;
  reason: string;
}

/** A running task as Celery's remote control and Girder's status page show it. */
export interface ControlTask {
  id: string;
  name: string;
  queue: string;
  redelivered: boolean;
  /** Milliseconds; null while it waits. */
  startedAt: number | null;
}

/** What remote control (pidbox) may ask of the worker. Every answer must be at hand: callers wait one second. */
export interface ControlTarget {
  /** A caller wants these tasks not to run, or to stop. Called again for the same id without harm. */
  revoke(ids: readonly string[], terminate: boolean): void;
  active(): ControlTask[];
  reserved(): ControlTask[];
  revoked(): string[];
  /** Tasks accepted since the start, by name. */
  totals(): Record<string, number>;
  /** The in-flight limit. */
  concurrency(): number;
  registered(): string[];
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
  publishResult(task: Task, result: TaskResult): Promise<void>;
  status(): BrokerStatus;
  close(): Promise<void>;
}
