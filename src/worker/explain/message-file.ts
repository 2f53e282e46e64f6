import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { parsePythonJson } from '../../base/text/python-json.js';
import type { Delivery } from '../../celery/messages/read-task.js';

/** Names of message properties in AMQP and in amqplib. */
const spellings = {
  contentType: ['content_type', 'contentType'],
  contentEncoding: ['content_encoding', 'contentEncoding'],
  correlationId: ['correlation_id', 'correlationId'],
  replyTo: ['reply_to', 'replyTo'],
  priority: ['priority'],
} as const;

export interface MessageFile {
  delivery: Delivery;
  /** A sentence about what is missing in the file; null if it is complete. */
  note: string | null;
}

/** For the format of RabbitMQ's management: `POST /api/queues/<vhost>/<queue>/get`, `rabbitmqadmin get`. */
const managementNote =
  "RabbitMQ's management changes the order of headers, without which outputs cannot be read; outputs are left out here.";

/**
 * Reads a task message from a file: `{exchange, routing_key, properties, headers, body}`, where `body` is the raw text
 * (docs/contract.md, "Fixtures"). Other accepted formats: that of amqplib, with `headers` in the properties and the routing key in
 * `fields`; the saved message of a failed run, which has only headers and body; and a message from RabbitMQ's management.
 * @throws DsaSlurmError `usage` if the text is not a message file
 */
export function readMessageFile(text: string): MessageFile {
  const file = record(onlyOne(parsed(text))) ?? wrong('It is not a JSON object.');
  const isFromManagement = 'payload' in file && !('body' in file);
  const properties =
    record(file['properties'] ?? { content_type: 'application/json' }) ??
    wrong('Its "properties" are not an object.');
  const fields = record(file['fields'] ?? {}) ?? wrong('Its "fields" are not an object.');
  const headers = record(file['headers'] ?? properties['headers'] ?? null) ?? wrong('It has no "headers".');
  const body = isFromManagement ? file['payload'] : file['body'];
  if (typeof body !== 'string') return wrong('Its "body" is not the raw text of a message.');
  const routingKey =
    file['routing_key'] ?? file['routingKey'] ?? fields['routing_key'] ?? fields['routingKey'];
  const property = (name: keyof typeof spellings): unknown =>
    spellings[name].map((spelling) => properties[spelling]).find((value) => value !== undefined);
  const isBase64 = isFromManagement && file['payload_encoding'] === 'base64';
  const delivery = {
    fields: {
      routingKey: typeof routingKey === 'string' ? routingKey : '',
      redelivered: file['redelivered'] === true || fields['redelivered'] === true,
    },
    properties: {
      contentType: property('contentType'),
      contentEncoding: property('contentEncoding'),
      correlationId: property('correlationId'),
      replyTo: property('replyTo'),
      priority: property('priority'),
      headers: isFromManagement ? readShownHeaders(headers) : headers,
    },
    content: Buffer.from(body, isBase64 ? 'base64' : 'utf8'),
  };
  return { delivery, note: isFromManagement ? managementNote : null };
}

/** The management prints missing values as "undefined". Hooks are dropped, because their references depend on order. */
function readShownHeaders(headers: Record<string, unknown>): Record<string, unknown> {
  const known = Object.entries(headers).filter(([name]) => name !== 'girder_result_hooks');
  return withNulls(Object.fromEntries(known)) as Record<string, unknown>;
}

function withNulls(value: unknown): unknown {
  if (value === 'undefined') return null;
  if (Array.isArray(value)) return value.map(withNulls);
  const fields = record(value);
  if (fields === null) return value;
  return Object.fromEntries(Object.entries(fields).map(([name, item]) => [name, withNulls(item)]));
}

function onlyOne(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.length === 1
    ? (value[0] as unknown)
    : wrong(`It is a list of ${value.length} messages instead of one.`);
}

function parsed(text: string): unknown {
  try {
    return parsePythonJson(text);
  } catch (error) {
    return wrong(errorLine(error));
  }
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function wrong(why: string): never {
  throw new DsaSlurmError('usage', `This is not a task message. ${why}`, {
    next: 'A message is {"exchange", "routing_key", "properties", "headers", "body"}, with the body as text.',
  });
}
