import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { parsePythonJson } from '../../base/python-json.js';
import type { Delivery } from '../../celery/message.js';

/** Names of message properties: AMQP's own spelling, and amqplib's. */
const spellings = {
  contentType: ['content_type', 'contentType'],
  contentEncoding: ['content_encoding', 'contentEncoding'],
  correlationId: ['correlation_id', 'correlationId'],
  replyTo: ['reply_to', 'replyTo'],
  priority: ['priority'],
} as const;

/**
 * Reads a task message from a file: `{exchange, routing_key, properties, headers, body}`, where `body` is the raw text
 * (contract, "Fixtures"). amqplib's spelling is taken as well, with `headers` among the properties and the routing key
 * among `fields`.
 * @throws DsaSlurmError `usage` for a text that is no such file
 */
export function readMessageFile(text: string): Delivery {
  const file = record(parsed(text)) ?? wrong('It is no JSON object.');
  const properties = record(file['properties'] ?? {}) ?? wrong('Its "properties" are no object.');
  const fields = record(file['fields'] ?? {}) ?? wrong('Its "fields" are no object.');
  const headers = record(file['headers'] ?? properties['headers'] ?? null) ?? wrong('It has no "headers".');
  const { body } = file;
  if (typeof body !== 'string') return wrong('Its "body" is not the raw text of a message.');
  const routingKey =
    file['routing_key'] ?? file['routingKey'] ?? fields['routing_key'] ?? fields['routingKey'];
  const property = (name: keyof typeof spellings): unknown =>
    spellings[name].map((spelling) => properties[spelling]).find((value) => value !== undefined);
  return {
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
      headers,
    },
    content: Buffer.from(body, 'utf8'),
  };
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
