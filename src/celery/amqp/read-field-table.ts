import { isUtf8 } from 'node:buffer';

/** A value of a type that JavaScript lacks, in amqplib's representation, so that it can be written again. */
export type Tagged = { '!': string; value: unknown };

/** Real headers hold jsonpickled result hooks, about ten levels deep. */
export const maxHeaderDepth = 100;

const unreadable = Symbol('reason why the table is incomplete');
const source = Symbol('encoded fields');

/** Why a table is incomplete, as a clause without a period; null if it is complete. */
export function unreadableReason(table: Readonly<Record<string, unknown>>): string | null {
  return (table as { [unreadable]?: string })[unreadable] ?? null;
}

/** The encoded fields that a table was read from; also of an object whose prototype is the table. */
export function rawFields(table: object): Buffer | undefined {
  return (table as { [source]?: Buffer })[source];
}

/**
 * Reads an AMQP field table, such as the headers of a message. The type tags are those of RabbitMQ
 * (https://www.rabbitmq.com/amqp-0-9-1-errata), and `L` and `U` of the specification, which py-amqp writes and reads.
 *
 * Never throws, because amqplib would close the connection, and the message would be redelivered on the next one. After an
 * error it returns the fields read so far, and {@link unreadableReason} returns the error.
 * @param bytes the fields, without the length before them
 */
export function readFieldTable(bytes: Buffer): Record<string, unknown> {
  const fields: [string, unknown][] = [];
  let problem: string | null = null;
  try {
    readFields(bytes, fields, 0);
  } catch (error) {
    problem = error instanceof Unreadable ? error.message : 'it ends too early';
  }
  // no assignments: "__proto__" must become an ordinary field
  const table = Object.fromEntries(fields);
  if (problem !== null) return Object.assign(table, { [unreadable]: problem });
  // not enumerable, so that a modified copy does not inherit it
  return Object.defineProperty(table, source, { value: bytes });
}

class Unreadable extends Error {}

function readFields(bytes: Buffer, fields: [string, unknown][], depth: number): void {
  const cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const name = take(cursor, take(cursor, 1).readUInt8()).toString('utf8');
    fields.push([name, readValue(cursor, depth)]);
  }
}

interface Cursor {
  bytes: Buffer;
  at: number;
}

function take(cursor: Cursor, size: number): Buffer {
  const end = cursor.at + size;
  if (end > cursor.bytes.length) throw new RangeError('too short');
  const part = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return part;
}

const takeLong = (cursor: Cursor) => take(cursor, take(cursor, 4).readUInt32BE());

function readValue(cursor: Cursor, depth: number): unknown {
  if (depth > maxHeaderDepth) throw new Unreadable('it is nested too deeply');
  const tag = String.fromCharCode(take(cursor, 1).readUInt8());
  switch (tag) {
    case 'S': {
      const text = takeLong(cursor);
      // py-amqp writes Python bytes with the string tag
      return isUtf8(text) ? text.toString('utf8') : text;
    }
    case 'x':
      return takeLong(cursor);
    case 't':
      return take(cursor, 1).readUInt8() !== 0;
    case 'V':
      return null;
    case 'b':
      return take(cursor, 1).readInt8();
    case 'B':
      return take(cursor, 1).readUInt8();
    case 's':
    case 'U':
      return take(cursor, 2).readInt16BE();
    case 'u':
      return take(cursor, 2).readUInt16BE();
    case 'I':
      return take(cursor, 4).readInt32BE();
    case 'i':
      return take(cursor, 4).readUInt32BE();
    // RabbitMQ uses `l` for signed integers, py-amqp `L`
    case 'l':
    case 'L':
      return integer(take(cursor, 8).readBigInt64BE());
    case 'f':
      return take(cursor, 4).readFloatBE();
    case 'd':
      return take(cursor, 8).readDoubleBE();
    case 'D': {
      const places = take(cursor, 1).readUInt8();
      return { '!': 'decimal', value: { places, digits: take(cursor, 4).readUInt32BE() } } satisfies Tagged;
    }
    case 'T':
      return { '!': 'timestamp', value: Number(take(cursor, 8).readBigUInt64BE()) } satisfies Tagged;
    case 'F': {
      const fields: [string, unknown][] = [];
      readFields(takeLong(cursor), fields, depth + 1);
      return Object.fromEntries(fields);
    }
    case 'A': {
      const inner = { bytes: takeLong(cursor), at: 0 };
      const values: unknown[] = [];
      while (inner.at < inner.bytes.length) values.push(readValue(inner, depth + 1));
      return values;
    }
    default:
      throw new Unreadable(`it has a value of the unknown AMQP type ${JSON.stringify(tag)}`);
  }
}

/** A number if it is a safe integer, else its digits, so that forwarding does not change it. */
function integer(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : ({ '!': 'int64', value: String(value) } satisfies Tagged);
}
