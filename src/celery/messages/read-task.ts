import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { parsePythonJson } from '../../base/text/python-json.js';
import { maxHeaderDepth, unreadableReason } from '../amqp/read-field-table.js';
import { isTaskId, type Task } from './task.js';

/** The parts of an AMQP delivery that are used; amqplib's `ConsumeMessage` has them. */
export interface Delivery {
  fields: { routingKey: string; redelivered: boolean };
  properties: {
    contentType?: unknown;
    contentEncoding?: unknown;
    headers?: Readonly<Record<string, unknown>> | undefined;
    correlationId?: unknown;
    replyTo?: unknown;
    priority?: unknown;
  };
  content: Buffer;
}

/** A message that is not a valid task. It is dropped from the queue, and only this record remains. */
export interface Refusal {
  queue: string;
  /** Task id and name, as far as they could be read. */
  id: string | null;
  name: string | null;
  /** One or two sentences. */
  reason: string;
  /** All headers, including Girder's `jobInfoSpec`; null if they could not be read. Holds tokens: never log it. */
  headers: Record<string, unknown> | null;
  /** Queue for the result; null if no caller waits for one. */
  replyTo: string | null;
  correlationId: string | null;
  ignoreResult: boolean;
}

/** Thrown for a message that is not a valid task. `refusal` holds what could be read of it. */
export class MessageRefused extends DsaSlurmError {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super('message', refusal.reason);
    this.refusal = refusal;
  }
}

/** Real bodies have a few kilobytes. Limited, because the body is kept in memory and in the journal. */
const maxBodyBytes = 16 * 1024 * 1024;

/**
 * Reads one Celery task message of protocol 2 (contract, section a). Checks that the body is JSON, but does not decode it.
 * Converts `eta` and `expires` to UTC.
 *
 * @param queue the queue it was consumed from; with the default exchange that is its routing key
 * @throws MessageRefused for any other message
 */
export function readTask(delivery: Delivery, queue = delivery.fields.routingKey): Task {
  const { properties } = delivery;
  const caller = {
    replyTo: textOrNull(properties.replyTo),
    correlationId: textOrNull(properties.correlationId),
  };
  const refuse = (reason: string, headers: Record<string, unknown> | null): never => {
    const id = headers?.['id'];
    throw new MessageRefused({
      queue,
      id: isTaskId(id) ? id : null,
      name: isTaskName(headers?.['task']) ? headers['task'] : null,
      reason,
      headers,
      ...caller,
      ignoreResult: headers?.['ignore_result'] === true,
    });
  };

  const headers =
    plainTable(properties.headers ?? {}) ?? refuse('The headers of the message are nested too deeply.', null);
  const problem = unreadableReason(properties.headers ?? {});
  if (problem !== null) refuse(`The header table of the message cannot be read: ${problem}.`, headers);

  const contentType = lowerText(properties.contentType);
  if (contentType !== 'application/json') {
    return refuse(
      `The content type of the message is ${shown(properties.contentType)}. Only application/json is accepted.`,
      headers,
    );
  }
  // like kombu, treat a missing encoding as UTF-8
  const encoding = lowerText(properties.contentEncoding ?? 'utf-8');
  if (encoding !== 'utf-8' && encoding !== 'utf8') {
    return refuse(
      `The content encoding of the message is ${shown(properties.contentEncoding)} instead of utf-8.`,
      headers,
    );
  }
  const { id, task: name } = headers;
  if (name === undefined) {
    return refuse('The message has no "task" header, so it is not a Celery message of protocol 2.', headers);
  }
  if (!isTaskName(name)) {
    return refuse(
      'The "task" header of the message is not a name of 1 to 255 printable characters.',
      headers,
    );
  }
  if (!isTaskId(id)) {
    return refuse(
      'The "id" header of the message is missing or invalid: it must have 1 to 200 letters, digits, ".", "_", ":" or "-", and not start with ".".',
      headers,
    );
  }
  if ((headers['compression'] ?? null) !== null)
    return refuse('The body of the message is compressed.', headers);

  const date = (header: 'eta' | 'expires'): string | null => {
    const text = headers[header] ?? null;
    if (text === null) return null;
    return (
      readDate(text) ?? refuse(`The "${header}" header of the message is not a valid ISO 8601 date.`, headers)
    );
  };

  return {
    id,
    name,
    headers,
    body: readBody(delivery.content, (reason) => refuse(reason, headers)),
    queue,
    ...caller,
    ignoreResult: headers['ignore_result'] === true,
    eta: date('eta'),
    expires: date('expires'),
    retries: isCount(headers['retries']) ? headers['retries'] : 0,
    rootId: textOrNull(headers['root_id']),
    parentId: textOrNull(headers['parent_id']),
    priority: isCount(properties.priority) ? properties.priority : null,
    redelivered: delivery.fields.redelivered,
  };
}

function readBody(content: Buffer, refuse: (reason: string) => never): string {
  if (content.length > maxBodyBytes) {
    return refuse(`The body of the message is larger than ${maxBodyBytes / 1024 / 1024} MiB.`);
  }
  let body: string;
  try {
    body = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return refuse('The body of the message is not valid UTF-8.');
  }
  try {
    parsePythonJson(body);
  } catch (error) {
    return refuse(`The body of the message cannot be read. ${errorLine(error)}`);
  }
  return body;
}

const isoDate =
  /^(?<day>\d{4}-\d{2}-\d{2})[T ](?<time>\d{2}:\d{2}:\d{2})(?<fraction>\.\d{1,9})?(?<zone>Z|[+-]\d{2}:\d{2})?$/;

/** Parses Python's `isoformat()`; like Celery, treats a date without a time zone as UTC. Null for dates outside 2000 to 2199. */
function readDate(value: unknown): string | null {
  const parts = typeof value === 'string' ? isoDate.exec(value)?.groups : undefined;
  if (parts === undefined) return null;
  const milliseconds = (parts['fraction'] ?? '').slice(0, 4);
  const date = new Date(`${parts['day']}T${parts['time']}${milliseconds}${parts['zone'] ?? 'Z'}`);
  const year = date.getUTCFullYear();
  return year >= 2000 && year < 2200 ? date.toISOString() : null;
}

/** A JSON-ready copy of the header table; null if it is nested too deeply. */
function plainTable(table: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  let tooDeep = false;
  const plain = (value: unknown, depth: number): unknown => {
    if (depth > maxHeaderDepth) {
      tooDeep = true;
      return null;
    }
    // py-amqp writes Python bytes as a byte array
    if (Buffer.isBuffer(value)) return value.toString('utf8');
    if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, depth + 1)]));
    }
    return value;
  };
  const copy = plain(table, 0) as Record<string, unknown>;
  return tooDeep ? null : copy;
}

function isTaskName(value: unknown): value is string {
  return typeof value === 'string' && /^\P{Cc}{1,255}$/u.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function lowerText(value: unknown): string | null {
  return typeof value === 'string' ? value.toLowerCase() : null;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : 'not given';
}
