import { appendFile, mkdtemp, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { readLastLines, readLogPiece } from '../../../../src/worker/logs/log-file.js';

let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-log-')), 'job.log');
});

async function readAll(maxBytes: number): Promise<string> {
  let text = '';
  for (let offset = 0; ;) {
    const piece = await readLogPiece(path, offset, maxBytes);
    text += piece.text;
    if (piece.atEnd || piece.offset === offset) return text;
    offset = piece.offset;
  }
}

describe('reading a growing log', () => {
  test('a missing log is an empty chunk', async () => {
    expect(await readLogPiece(path, 0)).toEqual({ text: '', offset: 0, restarted: false, atEnd: true });
  });

  test('each chunk begins where the last one ended', async () => {
    await writeFile(path, 'one\n');
    const first = await readLogPiece(path, 0);
    await appendFile(path, 'two\n');
    const second = await readLogPiece(path, first.offset);
    expect([first.text, second.text, second.atEnd]).toEqual(['one\n', 'two\n', true]);
  });

  test.each([4, 5, 6, 7])('characters are never cut, reading %i bytes at a time', async (bytes) => {
    await writeFile(path, 'aé漢🔬b');
    expect(await readAll(bytes)).toBe('aé漢🔬b');
  });

  test('invalid UTF-8 does not stop it', async () => {
    await writeFile(path, Buffer.from([0x61, 0xff, 0x80, 0x80, 0x80, 0x80, 0x62]));
    const text = await readAll(4);
    expect(text.at(0)).toBe('a');
    expect(text.at(-1)).toBe('b');
  });

  test('a truncated log is read from its start', async () => {
    await writeFile(path, 'first attempt\n');
    const { offset } = await readLogPiece(path, 0);
    await truncate(path, 0);
    await appendFile(path, 'again\n');
    expect(await readLogPiece(path, offset)).toMatchObject({ text: 'again\n', restarted: true });
  });

  test('a link is not followed', async () => {
    await symlink('/etc/hostname', path);
    await expect(readLogPiece(path, 0)).rejects.toThrow();
    expect(await readLastLines(path, 3)).toEqual([]);
  });

  test('the last lines of a large log are whole lines', async () => {
    await writeFile(path, Array.from({ length: 5_000 }, (_, i) => `line ${i}\n`).join(''));
    expect(await readLastLines(path, 2)).toEqual(['line 4998', 'line 4999']);
    expect((await readLastLines(path, 10_000, 64)).every((line) => line.startsWith('line '))).toBe(true);
  });
});
