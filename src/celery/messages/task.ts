/**
 * A task: what arrives from the broker, one Celery task message of protocol 2.
 * It is plain data, because it is written to the journal as it is. The body stays text: what is in it is another
 * room's vocabulary (`src/girder/`).
 */
export interface Task {
  /** Celery's task id; it is the id of the run too. */
  id: string;
  /** The registered name, such as `slicer_cli_web.girder_worker_plugin.direct_docker_run.run`. */
  name: string;
  /** Every header as it came, Girder's among them. Holds tokens: never log it. */
  headers: Record<string, unknown>;
  /** The body as UTF-8 JSON text. Holds tokens: never log it. */
  body: string;
  /** The queue that it was consumed from. */
  queue: string;
  /** Where a result is to be published, if anywhere. */
  replyTo: string | null;
  correlationId: string | null;
  ignoreResult: boolean;
  /** ISO 8601; not to be started before. */
  eta: string | null;
  /** ISO 8601; not to be started after. */
  expires: string | null;
  retries: number;
  rootId: string | null;
  parentId: string | null;
  priority: number | null;
  /** The broker says that it has delivered this message before. */
  redelivered: boolean;
}

/** A task that was published after this one: `[[id, the one before it in a chain], members of a group]`. */
export type TaskChild = readonly [readonly [string, TaskChild | null], readonly TaskChild[] | null];

/** What is published for a caller that waits for the task's result (`rpc://`). */
export type TaskResult =
  | { status: 'SUCCESS'; children?: readonly TaskChild[] }
  | { status: 'FAILURE'; message: string }
  | { status: 'REVOKED'; reason: 'revoked' | 'terminated' | 'expired' };

/**
 * Whether this can be a task id here. Celery allows any text and uses UUIDs; ours become file names and Slurm
 * comments, so only 1 to 200 letters, digits, `.`, `_`, `:` and `-` are taken, and none that begins with a dot.
 */
export function isTaskId(value: unknown): value is string {
  return typeof value === 'string' && /^(?!\.)[A-Za-z0-9._:-]{1,200}$/.test(value);
}
