import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { parsePythonJson } from '../../base/python-json.js';
import type { Delivery } from '../../celery/messages/read-task.js';

/** Names of message properties: AMQP's own spelling, and amqplib's. */
const spellings = {
  contentType: ['content_type', 'contentType'],
  contentEncoding: ['content_encoding', 'contentEncoding'],
  correlationId: ['correlation_id', 'correlationId'],
  replyTo: ['reply_to', 'replyTo'],
  priority: ['priority'],
} as const;

export interface MessageFile {
  delivery: Delivery;
  /** What the file does not say, in a sentence; null if it is whole. */
  note: string | null;
}

/** Of a message in the form of RabbitMQ's management: `POST /api/queues/<vhost>/<queue>/get`, `rabbitmqadmin get`. */
const managementNote =
  "RabbitMQ's management shows headers in another order than they have, which outputs cannot be read without: they are left out here.";

/**
 * Reads a task message from a file: `{exchange, routing_key, properties, headers, body}`, where `body` is the raw text
 * (contract, "Fixtures"). Taken as well are amqplib's spelling, with `headers` among the properties and the routing key
 * among `fields`; what the worker keeps of a run that failed, which is headers and body alone; and what RabbitMQ's
 * management shows of one message.
 * @throws DsaSlurmError `usage` for a text that is no such file
 */
export function readMessageFile(text: string): MessageFile {
  const file = record(onlyOne(parsed(text))) ?? wrong('It is no JSON object.');
  const isFromManagement = 'payload' in file && !('body' in file);
  const properties =
    record(file['properties'] ?? { content_type: 'application/json' }) ??
    wrong('Its "properties" are no object.');
  const fields = record(file['fields'] ?? {}) ?? wrong('Its "fields" are no object.');
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

/** The management calls a value that is not there "undefined"; and hooks refer to their parts by the order of these. */
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
    : wrong(`It is a list of ${value.length} instead of one.`);
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
  throw new DsaSlurmError('usage', `This is no task message. ${why}`, {
    next: 'A message is {"exchange", "routing_key", "properties", "headers", "body"}, with the body as text.',
  });
}
