import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { noPreferences, type Preferences } from '../../../src/console/state/preferences.js';
import { createRememberer, readPreferences } from '../../../src/console/data/preferences-file.js';
import { saveExport } from '../../../src/console/data/save-export.js';

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

const chosen: Preferences = {
  columns: { jobs: ['job', 'title'], nodes: ['node'] },
  sorting: { history: { column: 'waiting', descending: true } },
  wide: ['jobs'],
  scope: 'all',
  wrap: true,
  stamps: true,
};

test('what is preferred is remembered, the last of it where it changes quickly', async () => {
  expect(await readPreferences(dir)).toEqual(noPreferences);
  const remember = createRememberer(dir, silentLog());
  await remember(chosen);
  expect(await readPreferences(dir)).toEqual(chosen);
  await Promise.all([remember({ ...chosen, wrap: false }), remember({ ...chosen, scope: 'dsa' })]);
  expect(await readPreferences(dir)).toEqual({ ...chosen, scope: 'dsa' });
  expect((await stat(join(dir, 'console.json'))).mode & 0o777).toBe(0o600);
  expect(await readdir(dir)).toEqual(['console.json']);
  // a directory that is not there costs no more than a line in the log
  await createRememberer(join(dir, 'none'), silentLog())(chosen);
});

test.each([
  ['no JSON', noPreferences],
  ['[]', noPreferences],
  ['{"columns": [1], "scope": "everybody", "wrap": true}', { ...noPreferences, wrap: true }],
  ['{"sorting": {"jobs": "up"}, "wide": ["planets"], "stamps": true}', { ...noPreferences, stamps: true }],
  // of releases that kept the columns only, of one table or of all
  ['{"columns": ["job", "title"]}', { ...noPreferences, columns: { jobs: ['job', 'title'] } }],
  ['{"columns": {"nodes": ["node"]}}', { ...noPreferences, columns: { nodes: ['node'] } }],
])('the file %s costs what is wrong in it, and no more', async (text, expected) => {
  await writeFile(join(dir, 'console.json'), text);
  expect(await readPreferences(dir)).toEqual(expected);
});
