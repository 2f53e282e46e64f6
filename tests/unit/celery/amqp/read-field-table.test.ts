import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFieldTable, unreadableReason } from '../../../../src/celery/amqp/read-field-table.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ascii = (text: string) => Buffer.from(text).toString('hex');
const long = (bytes: string) => (bytes.length / 2).toString(16).padStart(8, '0') + bytes;

/** A table with a single field `n`. */
const field = (tag: string, value: string) => hex(`016e ${ascii(tag)} ${value}`);

describe('readFieldTable', () => {
  test.each<[string, string, unknown]>([
    ['t', '01', true],
    ['b', 'ff', -1],
    ['B', 'ff', 255],
    ['s', 'fffe', -2],
    ['U', 'fffe', -2],
    ['u', 'fffe', 65_534],
    ['I', 'fffffffe', -2],
    ['i', 'fffffffe', 4_294_967_294],
    ['l', '0000010000000000', 2 ** 40],
    ['L', '0000010000000000', 2 ** 40],
    ['L', 'ffffff0000000000', -(2 ** 40)],
    ['L', '7fffffffffffffff', { '!': 'int64', value: '9223372036854775807' }],
    ['L', '8000000000000000', { '!': 'int64', value: '-9223372036854775808' }],
    ['f', '40200000', 2.5],
    ['d', '4004000000000000', 2.5],
    ['D', '020000013a', { '!': 'decimal', value: { places: 2, digits: 314 } }],
    ['T', '000000006553f100', { '!': 'timestamp', value: 1_700_000_000 }],
    ['S', long(ascii('né')), 'né'],
    ['S', long('ff00'), Buffer.from([255, 0])],
    ['x', long('ff00'), Buffer.from([255, 0])],
    ['V', '', null],
    ['A', long('564c0000010000000000'), [null, 2 ** 40]],
    ['F', long('01614c0000010000000000'), { a: 2 ** 40 }],
  ])('has %s %s', (tag, bytes, value) => {
    const table = readFieldTable(field(tag, bytes));
    expect(table).toEqual({ n: value });
    expect(unreadableReason(table)).toBeNull();
  });

  test.each<[string, Buffer, string]>([
    ['an unknown type', field('Z', '00'), 'the unknown AMQP type "Z"'],
    ['an unknown type in a table', field('F', long('01615a00')), 'the unknown AMQP type "Z"'],
    ['an unknown type in an array', field('A', long('5a')), 'the unknown AMQP type "Z"'],
    ['too few bytes', field('I', '0000'), 'ends too early'],
    ['a text that is longer than the table', field('S', '000000ff61'), 'ends too early'],
    ['a table that is longer than its table', field('F', '000000ff0161'), 'ends too early'],
    ['a name alone', hex('016e'), 'ends too early'],
  ])('with %s is read up to there, and says so', (_, bytes, fault) => {
    const table = readFieldTable(Buffer.concat([hex(`0161 ${ascii('t')} 01`), bytes]));
    expect(Object.entries(table)).toEqual([['a', true]]);
    expect(unreadableReason(table)).toContain(fault);
  });

  test('survives thousands of nested levels', () => {
    let bytes = field('V', '');
    for (let level = 0; level < 20_000; level += 1) {
      const head = Buffer.alloc(6);
      head.write('F', 1);
      head.writeUInt32BE(bytes.length, 2);
      bytes = Buffer.concat([head, bytes]);
    }
    expect(unreadableReason(readFieldTable(bytes))).toContain('nested too deeply');
  });

  test('cannot modify a prototype', () => {
    const table = readFieldTable(hex(`09${ascii('__proto__')}${ascii('F')}${long(`0161${ascii('t')}01`)}`));
    expect(Object.keys(table)).toEqual(['__proto__']);
    expect(table['a']).toBeUndefined();
  });

  test('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readFieldTable(Buffer.from(bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});
