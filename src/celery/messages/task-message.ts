import type { OutgoingMessage } from '../publisher.js';

/** A task to publish. Holds tokens: never log it. */
export interface OutgoingTask {
  id: string;
  task: string;
  /** Empty: the default exchange, to the queue named by `routingKey`. */
  exchange: string;
  routingKey: string;
  /** The first task of this workflow; null: this one. */
  rootId: string | null;
  parentId: string | null;
  replyTo: string | null;
  groupId: string | null;
  groupIndex: number | null;
  shadow: string | null;
  /** ISO 8601, copied verbatim, or seconds from now. */
  eta: string | number | null;
  expires: string | number | null;
  retries: number;
  /** Hard and soft, in seconds. */
  timeLimits: readonly [number | null, number | null];
  priority: number;
  /** Whether it survives a restart of the broker. */
  persistent: boolean;
  ignoreResult: boolean;
  argsrepr: string;
  kwargsrepr: string;
  /** UTF-8 JSON text of `(args, kwargs, embed)`. */
  body: string;
}

/**
 * The message of protocol 2 that Celery's producers publish for a task (contract, section a).
 * @param headers additional headers, for example Girder's; they do not override Celery's
 * @param origin as Celery writes it: `gen<pid>@<host>`
 */
export function taskMessage(
  task: OutgoingTask,
  headers: Readonly<Record<string, unknown>>,
  { now, origin }: { now: number; origin: string },
): OutgoingMessage {
  const { id, exchange, routingKey, expires, body } = task;
  return {
    exchange,
    routingKey,
    properties: {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: task.persistent ? 2 : 1,
      priority: task.priority,
      correlationId: id,
      replyTo: task.replyTo ?? '',
      ...(expires === null ? {} : { expiration: expiration(expires, now) }),
      headers: {
        ...headers,
        lang: 'py',
        task: task.task,
        id,
        shadow: task.shadow,
        eta: isoDate(task.eta, now),
        expires: isoDate(expires, now),
        group: task.groupId,
        group_index: task.groupIndex,
        retries: task.retries,
        timelimit: task.timeLimits,
        root_id: task.rootId ?? id,
        parent_id: task.parentId,
        argsrepr: task.argsrepr,
        kwargsrepr: task.kwargsrepr,
        origin,
        ignore_result: task.ignoreResult,
        // since Celery 5.3; older ones ignore them
        replaced_task_nesting: 0,
        stamped_headers: null,
        stamps: {},
      },
    },
    content: Buffer.from(body),
  };
}

function isoDate(time: string | number | null, now: number): string | null {
  if (typeof time !== 'number') return time;
  return new Date(now + time * 1_000).toISOString().replace('Z', '000+00:00');
}

/** Milliseconds after which the broker drops the message; 0 for a time in the past. */
function expiration(expires: string | number, now: number): string {
  const ms = typeof expires === 'number' ? expires * 1_000 : Date.parse(withZone(expires)) - now;
  return String(Math.max(0, Math.trunc(Number.isFinite(ms) ? ms : 0)));
}

/** Celery treats a date without a time zone as UTC. */
function withZone(date: string): string {
  return /(?:Z|[+-]\d{2}:\d{2})$/.test(date) ? date : `${date}Z`;
}
