/** A running task as Celery's remote control and Girder's status page show it. */
export interface ControlTask {
  id: string;
  name: string;
  queue: string;
  redelivered: boolean;
  priority: number;
  /** When it was begun, in milliseconds; null while it waits, and for one that never was. */
  startedAt: number | null;
  /** ISO 8601; not to be started before. */
  eta: string | null;
}

/** What remote control (pidbox) may ask of the worker. Every answer must be at hand: callers wait one second. */
export interface ControlTarget {
  /** A caller wants these tasks not to run, or to stop. Called again for the same id without harm. */
  revoke(ids: readonly string[], terminate: boolean): void;
  active(): ControlTask[];
  reserved(): ControlTask[];
  /** Tasks that wait for their `eta`. */
  scheduled(): ControlTask[];
  /** Tasks that have ended and are still remembered. */
  ready(): ControlTask[];
  revoked(): string[];
  /** Tasks begun since the start, by name. */
  totals(): Record<string, number>;
  /** The in-flight limit. */
  concurrency(): number;
  registered(): string[];
  /** Ends the worker as SIGTERM does; null where a caller may not. */
  shutdown: (() => void) | null;
}
