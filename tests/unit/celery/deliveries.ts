import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Delivery } from '../../../src/celery/messages/read-task.js';

/** A captured message of the wire contract. */
export interface CapturedMessage {
  exchange: string;
  routing_key: string;
  properties: Record<string, unknown>;
  headers: Record<string, unknown>;
  body: string;
}

const fixtures = join(import.meta.dirname, '../../fixtures/contract');

export function fixtureNames(folder: string): string[] {
  return readdirSync(join(fixtures, folder)).filter((name) => name.endsWith('.json'));
}

export function readFixture(folder: string, name: string): CapturedMessage {
  return JSON.parse(readFileSync(join(fixtures, folder, name), 'utf8')) as CapturedMessage;
}

/** A captured message as amqplib delivers it. */
export function deliveryOf(message: CapturedMessage): Delivery {
  const { properties } = message;
  return {
    fields: { routingKey: message.routing_key, redelivered: false },
    properties: {
      contentType: properties['content_type'],
      contentEncoding: properties['content_encoding'],
      headers: message.headers,
      correlationId: properties['correlation_id'],
      replyTo: properties['reply_to'],
      priority: properties['priority'],
    },
    content: Buffer.from(message.body),
  };
}

const id = '4a1b2c3d-0000-4000-8000-000000000001';

/** A small valid task message with changes. */
export function taskDelivery(
  change: {
    headers?: Record<string, unknown>;
    properties?: Partial<Delivery['properties']>;
    content?: Buffer;
    redelivered?: boolean;
  } = {},
): Delivery {
  return {
    fields: { routingKey: 'celery', redelivered: change.redelivered ?? false },
    properties: {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId: id,
      replyTo: 'caller',
      priority: 0,
      headers: { lang: 'py', task: 'some.task', id, retries: 0, ...change.headers },
      ...change.properties,
    },
    content: change.content ?? Buffer.from('[[], {}, {}]'),
  };
}
