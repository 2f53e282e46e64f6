/**
 * A task: one Celery task message of protocol 2. Plain data, because it is written to the journal as it is. The body stays
 * text; its content is decoded in `src/girder/`.
 */
export interface Task {
  /** Celery's task id, which is also the id of the run. */
  id: string;
  /** The registered name, such as `slicer_cli_web.girder_worker_plugin.direct_docker_run.run`. */
  name: string;
  /** All headers as received, including Girder's. Holds tokens: never log it. */
  headers: Record<string, unknown>;
  /** The body as UTF-8 JSON text. Holds tokens: never log it. */
  body: string;
  /** The queue it was consumed from. */
  queue: string;
  /** Queue for the result; null if no caller waits for one. */
  replyTo: string | null;
  correlationId: string | null;
  ignoreResult: boolean;
  /** Earliest start, in ISO 8601. */
  eta: string | null;
  /** Latest start, in ISO 8601. */
  expires: string | null;
  retries: number;
  rootId: string | null;
  parentId: string | null;
  priority: number | null;
  /** Whether the broker has delivered this message before. */
  redelivered: boolean;
}

/** A task that was published after this one: `[[id, previous task of the chain], members of the group]`. */
export type TaskChild = readonly [readonly [string, TaskChild | null], readonly TaskChild[] | null];

/** The result for a caller that waits for it (`rpc://`). */
export type TaskResult =
  | { status: 'SUCCESS'; children?: readonly TaskChild[] }
  | { status: 'FAILURE'; message: string }
  | { status: 'REVOKED'; reason: 'revoked' | 'terminated' | 'expired' };

/**
 * Whether `value` is acceptable as a task id. Celery allows any string and uses UUIDs. Ids become file names and Slurm
 * comments here, so only 1 to 200 letters, digits, `.`, `_`, `:` and `-` are accepted, not starting with a dot.
 */
export function isTaskId(value: unknown): value is string {
  return typeof value === 'string' && /^(?!\.)[A-Za-z0-9._:-]{1,200}$/.test(value);
}
