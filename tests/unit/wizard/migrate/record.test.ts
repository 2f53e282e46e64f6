import { mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apply, compare } from '../../../../src/wizard/apply/index.js';
import {
  emptyRecord,
  readRecord,
  restoreFiles,
  withFiles,
  writeRecord,
  type MigrationRecord,
} from '../../../../src/wizard/migrate/record.js';

let dir: string;
let manifestPath: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'dsa-migrate-')));
  manifestPath = join(dir, 'init', 'default.manifest.json');
});
afterEach(() => rm(dir, { recursive: true }));

const text = async (name: string) => readFile(join(dir, name), 'utf8').catch(() => null);

/** Writes files as a migration does. */
async function write(record: MigrationRecord, files: Record<string, string>): Promise<MigrationRecord> {
  const planned = Object.entries(files).map(([name, content]) => ({
    path: join(dir, name),
    mode: 0o600,
    content,
    purpose: 'A test.',
  }));
  const changes = await compare(planned, { manifestPath, secrets: [] });
  return withFiles(record, changes, await apply(changes, { manifestPath, decide: () => 'overwrite' }));
}

describe('undoing a migration', () => {
  it('restores what was there, and removes what was not', async () => {
    await writeFile(join(dir, 'old.json'), 'mine', { mode: 0o640 });
    const record = await write(emptyRecord, { 'old.json': 'new', 'fresh.json': 'new' });
    expect(await text('old.json')).toBe('new');
    expect(await restoreFiles(record, manifestPath)).toEqual({
      restored: [join(dir, 'old.json')],
      removed: [join(dir, 'fresh.json')],
      kept: [],
    });
    expect(await text('old.json')).toBe('mine');
    expect((await stat(join(dir, 'old.json'))).mode & 0o777).toBe(0o640);
    expect(await text('fresh.json')).toBeNull();
    expect(await text('init/default.manifest.json')).toBeNull();
  });

  it('goes back to the first state after several migrations', async () => {
    await writeFile(join(dir, 'a'), 'mine');
    const once = await write(emptyRecord, { a: 'one', b: 'one' });
    const twice = await write(once, { a: 'two', b: 'two' });
    await restoreFiles(twice, manifestPath);
    expect([await text('a'), await text('b')]).toEqual(['mine', null]);
  });

  it('keeps a file that was edited since', async () => {
    const record = await write(emptyRecord, { a: 'new' });
    await writeFile(join(dir, 'a'), 'edited');
    expect((await restoreFiles(record, manifestPath)).kept).toEqual([join(dir, 'a')]);
    expect(await text('a')).toBe('edited');
  });

  it('changes nothing if a backup is missing', async () => {
    await writeFile(join(dir, 'a'), 'mine');
    const record = await write(emptyRecord, { 0: 'new', a: 'new' });
    await rm(join(dir, 'a.bak-1'));
    await expect(restoreFiles(record, manifestPath)).rejects.toThrow(
      'a.bak-1 is missing. Nothing was changed.',
    );
    expect([await text('0'), await text('a')]).toEqual(['new', 'new']);
  });
});

const env = () => ({ DSA_SLURM_CONFIG_DIR: dir });

describe('the record of a migration', () => {
  it('is private, and gone when nothing is left to undo', async () => {
    expect(await readRecord(env(), 'lab')).toBeNull();
    const record = { ...emptyRecord, drained: [{ node: 'celery@old', queue: 'celery' }] };
    await writeRecord(env(), 'lab', record);
    expect(await readRecord(env(), 'lab')).toEqual(record);
    expect((await stat(join(dir, 'init', 'lab.migration.json'))).mode & 0o777).toBe(0o600);
    await writeRecord(env(), 'lab', emptyRecord);
    expect(await readRecord(env(), 'lab')).toBeNull();
  });

  it('is never taken for an empty one if it is damaged', async () => {
    await writeRecord(env(), 'lab', { ...emptyRecord, drained: [{ node: 'n', queue: 'q' }] });
    await writeFile(join(dir, 'init', 'lab.migration.json'), '{');
    await expect(readRecord(env(), 'lab')).rejects.toThrow('cannot be read');
  });
});
