import { WholeFloat } from '../../base/text/python-json.js';
import { rawFields, type Tagged } from './read-field-table.js';

/**
 * Writes an AMQP field table, such as the headers of a message, preceded by its length, with the types that Celery's py-amqp
 * reads and writes. Integers have 32 or 64 bits (`I`, `L`): py-amqp reads the tag of a 16-bit integer as that of a short
 * string, and amqplib's tag of a 64-bit integer as unsigned. A table that {@link readFieldTable} has read is written byte for
 * byte.
 *
 * amqplib passes headers as the prototype of an empty object, so inherited fields are written too.
 * @throws TypeError, RangeError for values that a table cannot hold
 */
export function writeFieldTable(table: object): Buffer {
  const source = rawFields(table);
  const parts: Buffer[] = [];
  if (source === undefined) writeFields(table, parts);
  else parts.push(source);
  return withLength(parts);
}

function writeFields(table: object, parts: Buffer[]): void {
  for (const name in table) {
    const value = (table as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const bytes = Buffer.from(name);
    if (bytes.length > 255) throw new RangeError('A header name is longer than 255 bytes');
    parts.push(Buffer.of(bytes.length), bytes);
    writeValue(value, parts);
  }
}

function writeValue(value: unknown, parts: Buffer[]): void {
  const put = (tag: string, ...bytes: Buffer[]) => void parts.push(Buffer.from(tag), ...bytes);
  if (value === null) return put('V');
  if (typeof value === 'string') return put('S', withLength([Buffer.from(value)]));
  if (typeof value === 'boolean') return put('t', Buffer.of(value ? 1 : 0));
  if (typeof value === 'number') return writeNumber(value, put);
  if (typeof value === 'bigint') return put('L', signed64(value));
  if (value instanceof WholeFloat) return put('d', double(value.value));
  if (typeof value !== 'object') throw new TypeError(`A header cannot hold a ${typeof value}`);
  if (Buffer.isBuffer(value)) return put('x', withLength([value]));
  if (Array.isArray(value)) {
    const items: Buffer[] = [];
    for (const item of value) writeValue(item, items);
    return put('A', withLength(items));
  }
  if (writeTagged(value, put)) return;
  const fields: Buffer[] = [];
  writeFields(value, fields);
  put('F', withLength(fields));
}

type Put = (tag: string, ...bytes: Buffer[]) => void;

function writeNumber(value: number, put: Put): void {
  if (!Number.isSafeInteger(value)) return put('d', double(value));
  if (value < -0x80000000 || value >= 0x80000000) return put('L', signed64(BigInt(value)));
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  put('I', bytes);
}

/** Writes a {@link Tagged} value; false if `value` is an ordinary table that only looks like one. */
function writeTagged(value: object, put: Put): boolean {
  const { '!': type, value: inner } = value as Partial<Tagged>;
  if (type === 'int64' && isInt64(inner)) put('L', signed64(BigInt(inner)));
  else if (type === 'timestamp' && Number.isSafeInteger(inner) && Number(inner) >= 0)
    put('T', signed64(BigInt(Number(inner))));
  else if (type === 'decimal' && isDecimal(inner)) {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt8(inner.places);
    bytes.writeUInt32BE(inner.digits, 1);
    put('D', bytes);
  } else return false;
  return true;
}

function isInt64(digits: unknown): digits is string {
  if (typeof digits !== 'string' || !/^-?\d{1,19}$/.test(digits)) return false;
  return BigInt.asIntN(64, BigInt(digits)) === BigInt(digits);
}

function isDecimal(value: unknown): value is { places: number; digits: number } {
  if (typeof value !== 'object' || value === null) return false;
  const { places, digits } = value as { places?: unknown; digits?: unknown };
  return isUnsigned(places, 8) && isUnsigned(digits, 32);
}

function isUnsigned(value: unknown, bits: number): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** bits;
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

function signed64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function withLength(parts: readonly Buffer[]): Buffer {
  const all = Buffer.concat([Buffer.alloc(4), ...parts]);
  all.writeUInt32BE(all.length - 4);
  return all;
}
