import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { defaultPreferences, type Preferences } from '../../../src/console/state/preferences.js';
import { createPreferencesWriter, readPreferences } from '../../../src/console/data/preferences-file.js';
import { saveExport } from '../../../src/console/data/save-export.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-console-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('an export is readable only by its owner and overwrites no file', async () => {
  const path = join(dir, 'jobs.csv');
  expect(await saveExport(path, 'a')).toBe(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(saveExport(path, 'b')).rejects.toThrow('the file already exists');
  expect(await readFile(path, 'utf8')).toBe('a');
  await expect(saveExport(join(dir, 'no/where'), 'b')).rejects.toThrow('ENOENT');
});

const chosen: Preferences = {
  columns: { jobs: ['job', 'title'], nodes: ['node'] },
  sorting: { history: { column: 'waiting', descending: true } },
  wide: ['jobs'],
  scope: 'all',
  wrap: true,
  timestamps: true,
  pane: false,
  mouse: true,
  theme: 'light',
};

test('the last of several quick preference changes is saved', async () => {
  expect(await readPreferences(dir)).toEqual(defaultPreferences);
  const remember = createPreferencesWriter(dir, silentLog());
  await remember(chosen);
  expect(await readPreferences(dir)).toEqual(chosen);
  await Promise.all([remember({ ...chosen, wrap: false }), remember({ ...chosen, scope: 'dsa' })]);
  expect(await readPreferences(dir)).toEqual({ ...chosen, scope: 'dsa' });
  expect((await stat(join(dir, 'console.json'))).mode & 0o777).toBe(0o600);
  expect(await readdir(dir)).toEqual(['console.json']);
  // a missing directory is only logged
  await createPreferencesWriter(join(dir, 'none'), silentLog())(chosen);
});

test.each([
  ['no JSON', defaultPreferences],
  ['[]', defaultPreferences],
  ['{"columns": [1], "scope": "everybody", "wrap": true}', { ...defaultPreferences, wrap: true }],
  [
    '{"sorting": {"jobs": "up"}, "wide": ["planets"], "stamps": true}',
    { ...defaultPreferences, timestamps: true },
  ],
  // files of older releases contain only columns, of one table or of all
  ['{"columns": ["job", "title"]}', { ...defaultPreferences, columns: { jobs: ['job', 'title'] } }],
  ['{"columns": {"nodes": ["node"]}}', { ...defaultPreferences, columns: { nodes: ['node'] } }],
])('the invalid file %s only loses its invalid fields', async (text, expected) => {
  await writeFile(join(dir, 'console.json'), text);
  expect(await readPreferences(dir)).toEqual(expected);
});
