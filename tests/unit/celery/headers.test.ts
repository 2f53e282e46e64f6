import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readFieldTable } from '../../../src/celery/field-table.js';
import { celeryHeaders } from '../../../src/celery/headers.js';

interface Codec {
  encodeTable: (buffer: Buffer, table: unknown, offset: number) => number;
}

// amqplib does not export it, and nothing else of it shows what is on the wire
const require = createRequire(import.meta.url);
const codec = require(join(dirname(require.resolve('amqplib')), 'lib/codec.js')) as Codec;

function written(headers: Record<string, unknown>): Buffer {
  const buffer = Buffer.alloc(4_096);
  const size = codec.encodeTable(buffer, celeryHeaders(headers), 0);
  return buffer.subarray(4, size);
}

/** The tag of the only header, which is named by one letter. */
const tagOf = (value: unknown) => String.fromCharCode(written({ a: value })[2] ?? 0);

test.each([0, 1, -1, 127, 128, 300, 32_767, 32_768, -129, 2 ** 31 - 1])('%d has 32 bits', (value) => {
  expect(tagOf(value)).toBe('I');
});

test.each<[unknown, string]>([
  [2 ** 31, 'l'],
  [Number.MAX_SAFE_INTEGER, 'l'],
  // py-amqp takes what has the tag l for a number without a sign
  [-(2 ** 31) - 1, 'd'],
  [{ '!': 'int64', value: '9223372036854775807' }, 'l'],
  [{ '!': 'int64', value: '-9223372036854775808' }, 'd'],
  [{ '!': 'int64', value: '9223372036854775808' }, 'F'],
  [2.5, 'd'],
  [2 ** 70, 'd'],
  [Number.NaN, 'd'],
  [-Infinity, 'd'],
  ['x', 'S'],
  [null, 'V'],
  [true, 't'],
  [Buffer.from('x'), 'x'],
  [[], 'A'],
  [{}, 'F'],
])('%s is written as %s', (value, tag) => {
  expect(tagOf(value)).toBe(tag);
});

test('headers that came are the same when they go on', () => {
  const headers = {
    retries: 0,
    timelimit: [300, 2.5, null],
    jobInfoSpec: { url: 'http://g/', headers: { 'Girder-Token': 't' }, deep: [{ n: 200 }] },
    clock: 2 ** 40,
    serial: { '!': 'int64', value: '9223372036854775807' },
    at: { '!': 'timestamp', value: 1_700_000_000 },
    price: { '!': 'decimal', value: { places: 2, digits: 314 } },
  };
  expect(readFieldTable(written(headers))).toEqual(headers);
});

test.each([
  { '!': 'timestamp', value: 'x' },
  { '!': 'timestamp', value: -1 },
  { '!': 'decimal', value: null },
  { '!': 'decimal', value: { places: 999, digits: 1 } },
  { '!': 'int64', value: '9223372036854775808' },
  { '!': 'int64', value: 'x' },
  { '!': 'no such type', value: 7 },
  { '!': 200 },
])('a table that looks like a typed value stays a table: %j', (table) => {
  expect(readFieldTable(written({ table }))).toEqual({ table });
});
