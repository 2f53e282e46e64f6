import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createWriteBehind } from '../../../../src/girder/transfer/write-behind.js';

const megabyte = 1024 * 1024;

function openFile({ failAt = Infinity } = {}) {
  const writes: number[] = [];
  let content = Buffer.alloc(0);
  let busy = 0;
  const write = async (piece: Uint8Array, position: number): Promise<void> => {
    expect((busy += 1)).toBe(1);
    await new Promise(setImmediate);
    busy -= 1;
    if (position + piece.length > failAt) throw new Error('ENOSPC');
    expect(position).toBe(content.length);
    content = Buffer.concat([content, piece]);
    writes.push(piece.length);
  };
  return { write, writes, content: () => content };
}

test('whatever arrives is in the file in order, one write at a time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 700_000 }), { maxLength: 8 }), async (lengths) => {
      const file = openFile();
      const behind = createWriteBehind(file.write, 0);
      const chunks = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      for (const chunk of chunks) await behind.add(chunk);
      await behind.end();
      expect(file.content().equals(Buffer.concat(chunks))).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test('what arrives while a piece is written is written together', async () => {
  const file = openFile();
  const behind = createWriteBehind(file.write, 0);
  for (let count = 0; count < 40; count += 1) await behind.add(Buffer.alloc(64 * 1024));
  await behind.end();
  const half = megabyte / 2;
  expect(file.writes).toEqual([half / 8, half, half, half, half, (half / 8) * 7]);
});

test('the first bytes are written at once', async () => {
  const file = openFile();
  const behind = createWriteBehind(file.write, 0);
  await behind.add(Buffer.from('half'));
  await new Promise(setImmediate);
  expect(file.content().toString()).toBe('half');
});

test('an error of a write rejects the next call', async () => {
  const file = openFile({ failAt: megabyte });
  const adding = createWriteBehind(file.write, megabyte);
  await adding.add(Buffer.alloc(megabyte / 2));
  await expect(adding.add(Buffer.alloc(megabyte))).rejects.toThrow('ENOSPC');
  const ending = createWriteBehind(file.write, megabyte);
  await ending.add(Buffer.alloc(megabyte / 2));
  await expect(ending.end()).rejects.toThrow('ENOSPC');
});
