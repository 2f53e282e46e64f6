import { expect, test } from 'vitest';

import { LineTooLong, readLines } from '../../../../src/worker/socket/lines.js';

async function* pieces(...texts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

async function read(source: AsyncIterable<Buffer>, limit = 100): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(source, () => limit)) lines.push(line);
  return lines;
}

test('lines come whole, however they are cut', async () => {
  const text = Buffer.from('é漢\nb\n');
  const cuts = Array.from(text, (byte) => Buffer.from([byte]));
  expect(await read(pieces(...cuts))).toEqual(['é漢', 'b']);
  expect(await read(pieces('a\nb', 'c\n\nd\n'))).toEqual(['a', 'bc', '', 'd']);
});

test('an incomplete last line is ignored', async () => {
  expect(await read(pieces('a\nhalf'))).toEqual(['a']);
});

test('a line that is too long ends it, before its end has come', async () => {
  let taken = 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      taken++;
      yield Buffer.alloc(10, 'x');
    }
  }
  await expect(read(endless())).rejects.toThrow(LineTooLong);
  expect(taken).toBe(11);
  expect(await read(pieces('x'.repeat(100), '\n'))).toHaveLength(1);
});
