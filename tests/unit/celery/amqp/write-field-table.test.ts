import { expect, test } from 'vitest';
import { WholeFloat } from '../../../../src/base/text/python-json.js';
import { readFieldTable } from '../../../../src/celery/amqp/read-field-table.js';
import { writeFieldTable } from '../../../../src/celery/amqp/write-field-table.js';

/** The encoded table without its length. */
const written = (headers: object): Buffer => {
  const bytes = writeFieldTable(headers);
  expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
  return bytes.subarray(4);
};

/** The only field, whose name is one letter. */
const fieldOf = (value: unknown) => written({ a: value }).subarray(2).toString('latin1');
const tagOf = (value: unknown) => fieldOf(value).slice(0, 1);

test.each([0, 1, -1, 127, 128, 300, 32_767, 32_768, -129, 2 ** 31 - 1, -(2 ** 31)])(
  '%d has 32 bits',
  (value) => {
    expect(tagOf(value)).toBe('I');
  },
);

test.each<[unknown, string]>([
  [2 ** 31, 'L'],
  [Number.MAX_SAFE_INTEGER, 'L'],
  [-(2 ** 31) - 1, 'L'],
  [2n ** 63n - 1n, 'L'],
  [{ '!': 'int64', value: '9223372036854775807' }, 'L'],
  [{ '!': 'int64', value: '-9223372036854775808' }, 'L'],
  [{ '!': 'int64', value: '9223372036854775808' }, 'F'],
  [2.5, 'd'],
  [new WholeFloat(2), 'd'],
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

test('a large negative number keeps its sign and its last digit', () => {
  expect(fieldOf(-(2 ** 40) - 1)).toBe('L\xff\xff\xfe\xff\xff\xff\xff\xff');
});

test.each([
  ['a name of 256 bytes', { ['n'.repeat(256)]: 1 }],
  ['a number of more than 64 bits', { n: 2n ** 63n }],
  ['a function', { n: () => undefined }],
])('%s is nothing for a table', (_, headers) => {
  expect(() => writeFieldTable(headers)).toThrow(/RangeError|TypeError|bytes|range|hold/);
});

test('writes inherited fields, as amqplib passes them, and skips undefined', () => {
  expect(readFieldTable(written(Object.create({ a: 1, none: undefined }) as object))).toEqual({ a: 1 });
});

test('received headers are forwarded unchanged', () => {
  const headers = {
    retries: 0,
    timelimit: [300, 2.5, null],
    jobInfoSpec: { url: 'http://g/', headers: { 'Girder-Token': 't' }, deep: [{ n: 200 }] },
    clock: -(2 ** 40),
    serial: { '!': 'int64', value: '-9223372036854775807' },
    at: { '!': 'timestamp', value: 1_700_000_000 },
    price: { '!': 'decimal', value: { places: 2, digits: 314 } },
  };
  expect(readFieldTable(written(headers))).toEqual(headers);
});

test('writes a table that was read byte for byte, and a modified copy by its fields', () => {
  // a 16-bit integer, a float with an integral value, bytes with the tag of a string
  const bytes = Buffer.from('016173ff01016264400000000000000001635300000001ff', 'hex');
  const table = readFieldTable(bytes);
  expect(written(table)).toEqual(bytes);
  expect(written(Object.create(table) as object)).toEqual(bytes);
  expect(readFieldTable(written({ ...table, d: 1 }))).toEqual({ ...table, d: 1 });
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
