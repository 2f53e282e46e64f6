import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import { parsePythonJson, type PythonJson } from '../../base/text/python-json.js';
import { controlExchange, replyExchange } from '../amqp/topology.js';

/** A request of Celery's remote control. */
export interface ControlCall {
  /** `ping`, `active`, `cancel_consumer`, … */
  method: string;
  arguments?: Readonly<Record<string, unknown>>;
  /** Node names such as `celery@host`; null: all workers. */
  destination: readonly string[] | null;
}

/** More nodes, or longer replies, are not from the workers of one archive. */
const maxReplies = 1_000;
const maxReplyBytes = 16 * 1024 * 1024;

/**
 * Sends a request to Celery workers, as `celery inspect` and `celery control` do (contract, section g), and returns the reply
 * of each node. Waits until all nodes of `destination` have replied, or for `timeoutMs`: a node that is missing has not
 * replied, which says nothing about it.
 */
export async function callWorkers(
  connection: ChannelModel,
  { method, arguments: args = {}, destination }: ControlCall,
  { timeoutMs, clock, signal }: { timeoutMs: number; clock: Clock; signal: AbortSignal },
): Promise<ReadonlyMap<string, PythonJson>> {
  const ticket = randomUUID();
  const replyKey = randomUUID();
  const replies = new Map<string, PythonJson>();
  const done = new AbortController();
  const channel = await connection.createChannel();
  try {
    channel.on('error', () => done.abort());
    await listen(channel, replyKey, (message) => {
      for (const [node, value] of readReply(message, ticket)) {
        if (replies.size < maxReplies) replies.set(node, value);
      }
      if (destination?.every((node) => replies.has(node)) === true) done.abort();
    });
    const body = {
      method,
      arguments: args,
      destination,
      pattern: null,
      matcher: null,
      ticket,
      reply_to: { exchange: replyExchange, routing_key: replyKey },
    };
    channel.publish(controlExchange, '', Buffer.from(JSON.stringify(body)), {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: 2,
      priority: 0,
      // a logical clock that changes that of no worker; as for Celery, 0 never expires
      headers: { clock: 1, expires: 0 },
    });
    await clock.sleep(timeoutMs, AbortSignal.any([done.signal, signal]));
    return replies;
  } finally {
    await channel.close().catch(() => undefined);
  }
}

/** Consumes replies from a queue of this connection only: brokers can deny Celery's shared kind. */
async function listen(
  channel: Channel,
  replyKey: string,
  onReply: (message: ConsumeMessage) => void,
): Promise<void> {
  await channel.assertExchange(controlExchange, 'fanout', { durable: false, autoDelete: false });
  await channel.assertExchange(replyExchange, 'direct', { durable: false, autoDelete: false });
  const { queue } = await channel.assertQueue('', { durable: false, autoDelete: true, exclusive: true });
  await channel.bindQueue(queue, replyExchange, replyKey);
  await channel.consume(
    queue,
    (message) => {
      if (message !== null) onReply(message);
    },
    { noAck: true },
  );
}

/** `{"celery@host": <value>}`; nothing for anything else, which anyone could have sent. */
function readReply({ content, properties }: ConsumeMessage, ticket: string): [string, PythonJson][] {
  if ((properties.headers ?? {})['ticket'] !== ticket || content.byteLength > maxReplyBytes) return [];
  try {
    const reply = parsePythonJson(content.toString('utf8'));
    return typeof reply === 'object' && reply !== null && !Array.isArray(reply) ? Object.entries(reply) : [];
  } catch {
    return [];
  }
}
