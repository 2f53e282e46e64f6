import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory } from '../../../src/base/files/make-directory.js';

test('creates missing directories with the mode and leaves existing ones alone', async () => {
  const top = await mkdtemp(join(tmpdir(), 'dsa-slurm-dirs-'));
  const path = join(top, 'a', 'b', 'c');
  await makeDirectory(path, 0o700);
  await makeDirectory(path, 0o755);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

test('fails quickly in an impossible place', async () => {
  await expect(makeDirectory('/proc/nowhere/at/all')).rejects.toThrow(/ENOENT/);
  const file = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-dirs-')), 'file');
  await writeFile(file, '');
  await expect(makeDirectory(file)).rejects.toThrow(/EEXIST/);
  await expect(makeDirectory(join(file, 'below'))).rejects.toThrow(/ENOTDIR/);
});
