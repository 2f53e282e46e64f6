import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Amqplib from 'amqplib';
import type { ChannelModel, Options, SocketOptions } from 'amqplib';
import { readFieldTable } from './field-table.js';

/** Of amqplib's inside, what is reached for here. Its version is pinned, and tests/unit/celery/amqp.test.ts reads with it. */
interface Codec {
  decodeFields: (fields: Buffer) => Record<string, unknown>;
}
interface Definitions {
  decode: (classId: number, content: Buffer) => { headers?: Record<string, unknown> };
}

/**
 * amqplib, with a reader of field tables that takes whatever is in them.
 *
 * amqplib's own throws at a type that it does not know, such as `L`, with which py-amqp writes every whole number beyond
 * 32 bits. The connection ends over it before anybody sees the message, and RabbitMQ delivers that again to the next
 * connection, for ever: one such task would stop a worker. amqplib has no setting for it, and its decoder is taken over
 * by the module of its protocol when that is loaded, so ours must be in place before. Hence nothing else imports amqplib.
 */
export function loadAmqplib(): typeof Amqplib {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('amqplib');
  const inside = join(dirname(entry), 'lib');
  const codec = require(join(inside, 'codec.js')) as Codec;
  codec.decodeFields = readFieldTable;
  const { decode } = require(join(inside, 'defs.js')) as Definitions;
  if (decode(basicClass, properties).headers?.['n'] !== 1) {
    throw new Error('amqplib does not read message headers with src/celery/field-table.ts');
  }
  return require(entry) as typeof Amqplib;
}

/** amqplib's `connect`, without its own recovery. */
export async function connect(
  address: string | Options.Connect,
  socket?: SocketOptions,
): Promise<ChannelModel> {
  return loadAmqplib().connect(address, socket);
}

const basicClass = 60;
/** Properties of a message: the flag for headers, their length, and a field `n` that is 1 with the tag `L`. */
const properties = Buffer.from('20000000000b016e4c0000000000000001', 'hex');
