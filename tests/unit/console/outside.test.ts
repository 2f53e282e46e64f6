import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { readColumns, saveColumns } from '../../../src/console/remembered.js';
import { saveExport } from '../../../src/console/save-export.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-console-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('an export is for its owner only, and overwrites nothing', async () => {
  const path = join(dir, 'jobs.csv');
  expect(await saveExport(path, 'a')).toBe(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(saveExport(path, 'b')).rejects.toThrow('it exists already');
  expect(await readFile(path, 'utf8')).toBe('a');
  await expect(saveExport(join(dir, 'no/where'), 'b')).rejects.toThrow('ENOENT');
});

test('the chosen columns are remembered by table; a broken file means none', async () => {
  expect(await readColumns(dir)).toEqual({});
  const chosen = { jobs: ['job', 'title'], nodes: ['node'] };
  await saveColumns(dir, chosen, silentLog());
  expect(await readColumns(dir)).toEqual(chosen);
  await saveColumns(dir, {}, silentLog());
  expect(await readColumns(dir)).toEqual({});
  await writeFile(join(dir, 'console.json'), '{"columns": [1]}');
  expect(await readColumns(dir)).toEqual({});
  // a directory that is not there costs no more than a line in the log
  await saveColumns(join(dir, 'none'), chosen, silentLog());
});

test('the columns of a release that had one table are those of its table', async () => {
  await writeFile(join(dir, 'console.json'), '{"columns": ["job", "title"]}');
  expect(await readColumns(dir)).toEqual({ jobs: ['job', 'title'] });
  await writeFile(join(dir, 'console.json'), '{"columns": null}');
  expect(await readColumns(dir)).toEqual({});
});
