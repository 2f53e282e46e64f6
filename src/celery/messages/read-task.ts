import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { parsePythonJson } from '../../base/python-json.js';
import { maxHeaderDepth, unreadableReason } from '../amqp/read-field-table.js';
import { isTaskId, type Task } from './task.js';

/** The parts of an AMQP delivery that are read; amqplib's `ConsumeMessage` is one. */
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

/** A message that is no task for us: it is taken off the queue, and this record is all that stays. */
export interface Refusal {
  queue: string;
  /** Task id and name, as far as they could be read. */
  id: string | null;
  name: string | null;
  /** One or two sentences. */
  reason: string;
  /** Every header, Girder's `jobInfoSpec` among them; null if they could not be read. Holds tokens: never log it. */
  headers: Record<string, unknown> | null;
  /** Where a caller waits for a result, if anywhere. */
  replyTo: string | null;
  correlationId: string | null;
  ignoreResult: boolean;
}

/** Thrown for a message that is no task for us. `refusal` holds what could be read of it all the same. */
export class MessageRefused extends DsaSlurmError {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super('message', refusal.reason);
    this.refusal = refusal;
  }
}

/** Real bodies are a few kilobytes; the body is kept in memory and in the journal. */
const largestBody = 16 * 1024 * 1024;

/**
 * Reads one Celery task message of protocol 2 (contract, section a). The body is checked to be JSON, and not decoded
 * further. `eta` and `expires` come out as UTC.
 *
 * @param queue the queue that it was consumed from; through the default exchange that is its routing key
 * @throws MessageRefused for everything that is no such message
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
  const fault = unreadableReason(properties.headers ?? {});
  if (fault !== null) refuse(`The header table of the message cannot be read: ${fault}.`, headers);

  const contentType = lowerText(properties.contentType);
  if (contentType !== 'application/json') {
    return refuse(
      `The content type of the message is ${shown(properties.contentType)}. Only application/json is read; anything else is never decoded.`,
      headers,
    );
  }
  // kombu reads a message without an encoding as UTF-8 too
  const encoding = lowerText(properties.contentEncoding ?? 'utf-8');
  if (encoding !== 'utf-8' && encoding !== 'utf8') {
    return refuse(
      `The content encoding of the message is ${shown(properties.contentEncoding)} instead of utf-8.`,
      headers,
    );
  }
  const { id, task: name } = headers;
  if (name === undefined) {
    return refuse('The message has no "task" header, so it is no Celery message of protocol 2.', headers);
  }
  if (!isTaskName(name)) {
    return refuse('The "task" header of the message is no name of 1 to 255 printable characters.', headers);
  }
  if (!isTaskId(id)) {
    return refuse(
      'The "id" header of the message is missing or unusable: 1 to 200 letters, digits, ".", "_", ":" or "-", not beginning with ".".',
      headers,
    );
  }
  if ((headers['compression'] ?? null) !== null)
    return refuse('The body of the message is compressed.', headers);

  const date = (header: 'eta' | 'expires'): string | null => {
    const text = headers[header] ?? null;
    if (text === null) return null;
    return (
      readDate(text) ?? refuse(`The "${header}" header of the message is no usable ISO 8601 date.`, headers)
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
  if (content.length > largestBody) {
    return refuse(`The body of the message is larger than ${largestBody / 1024 / 1024} MiB.`);
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

/** Python's `isoformat()`; a date without a zone is UTC to Celery. Null for what is no date of this century or next. */
function readDate(value: unknown): string | null {
  const parts = typeof value === 'string' ? isoDate.exec(value)?.groups : undefined;
  if (parts === undefined) return null;
  const milliseconds = (parts['fraction'] ?? '').slice(0, 4);
  const date = new Date(`${parts['day']}T${parts['time']}${milliseconds}${parts['zone'] ?? 'Z'}`);
  const year = date.getUTCFullYear();
  return year >= 2000 && year < 2200 ? date.toISOString() : null;
}

/** The header table as JSON-ready data of its own; null if it is nested too deeply. */
function plainTable(table: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  let tooDeep = false;
  const plain = (value: unknown, depth: number): unknown => {
    if (depth > maxHeaderDepth) {
      tooDeep = true;
      return null;
    }
    // py-amqp writes Python bytes as an AMQP byte array
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
