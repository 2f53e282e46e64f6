import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { replaceFile, writeTemporary } from '../../../src/base/files/replace-file.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'replace-file-'));
});
afterEach(async () => rm(dir, { recursive: true }));

describe('replaceFile', () => {
  test('creates a private file and leaves nothing beside it', async () => {
    await replaceFile(join(dir, 'a.json'), 'one');
    await replaceFile(join(dir, 'a.json'), 'two');
    expect(await readFile(join(dir, 'a.json'), 'utf8')).toBe('two');
    expect((await stat(join(dir, 'a.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(['a.json']);
  });

  test('concurrent writers never leave an incomplete file', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(50_000));
    await Promise.all(texts.map(async (text) => replaceFile(join(dir, 'a'), text)));
    expect(texts).toContain(await readFile(join(dir, 'a'), 'utf8'));
    expect(await readdir(dir)).toEqual(['a']);
  });

  test('replaces a link and leaves its target alone', async () => {
    await writeFile(join(dir, 'target'), 'kept');
    await symlink(join(dir, 'target'), join(dir, 'link'));
    await replaceFile(join(dir, 'link'), 'new');
    expect((await lstat(join(dir, 'link'))).isFile()).toBe(true);
    expect(await readFile(join(dir, 'target'), 'utf8')).toBe('kept');
  });

  test('removes its temporary file when the file cannot be replaced', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(replaceFile(join(dir, 'file', 'a'), 'x')).rejects.toThrow(/ENOTDIR/);
    await expect(replaceFile(dir, 'x')).rejects.toThrow();
    expect(await readdir(dir)).toEqual(['file']);
  });
});

test('writeTemporary sets the mode whatever the umask is', async () => {
  const path = await writeTemporary(join(dir, 'start.sh'), '#!/bin/sh\n', 0o757);
  expect((await stat(path)).mode & 0o777).toBe(0o757);
});
