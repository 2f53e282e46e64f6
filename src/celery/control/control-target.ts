/** A task as Celery's remote control and Girder's status page show it. */
export interface ControlTask {
  id: string;
  name: string;
  queue: string;
  redelivered: boolean;
  priority: number;
  /** When it started, in milliseconds; null if it has not. */
  startedAt: number | null;
  /** Earliest start, in ISO 8601. */
  eta: string | null;
}

/** What remote control (pidbox) can ask of the worker. Everything must be available immediately: callers wait one second. */
export interface ControlTarget {
  /** Keeps these tasks from starting, or stops them. Idempotent. */
  revoke(ids: readonly string[], terminate: boolean): void;
  active(): ControlTask[];
  /** How many tasks are active; heartbeats ask every two seconds. */
  activeCount(): number;
  reserved(): ControlTask[];
  /** Tasks that wait for their `eta`. */
  scheduled(): ControlTask[];
  /** Finished tasks that are still remembered. */
  ready(): ControlTask[];
  revoked(): string[];
  /** Number of tasks accepted since the worker started, by name. */
  totals(): Record<string, number>;
  /** The in-flight limit. */
  concurrency(): number;
  registered(): string[];
  /** Stops the worker as SIGTERM does; null if this is not allowed. */
  shutdown: (() => void) | null;
}
