import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { announceStandby, watchStandbys } from '../../../../src/worker/open/standby.js';

let directory: string;
let now: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dsa-standby-'));
  now = 0;
});

afterEach(async () => rm(directory, { recursive: true, force: true }));

const monotonic = (): number => now;

describe('standbys', () => {
  test('are listed while they send heartbeats, and not after they withdrew', async () => {
    const withdraw = announceStandby(directory, silentLog(), 5);
    const watch = watchStandbys(directory, { everyMs: 5 });
    await expect.poll(() => watch.list()).toMatchObject([{ host: hostname(), pid: process.pid }]);
    await withdraw();
    await expect.poll(() => watch.list()).toEqual([]);
    watch.stop();
    expect(await readdir(join(directory, 'worker.standby'))).toEqual([]);
  });

  test('are private to their user', async () => {
    const withdraw = announceStandby(directory, silentLog(), 60_000);
    const files = async (): Promise<string[]> => readdir(join(directory, 'worker.standby')).catch(() => []);
    await expect.poll(files).toHaveLength(1);
    const [name = ''] = await files();
    expect((await stat(join(directory, 'worker.standby'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'worker.standby', name))).mode & 0o777).toBe(0o600);
    await withdraw();
  });

  test('that died are not listed because of leftover files, which are removed after ten minutes', async () => {
    const left = join(directory, 'worker.standby');
    await mkdir(left);
    const write = async (beat: number): Promise<void> =>
      writeFile(join(left, 'a.json'), JSON.stringify({ host: 'far', pid: 3, since: 'then', beat }));
    await write(1);
    const watch = watchStandbys(directory, { monotonic, everyMs: 1_000_000 });
    await watch.check();
    // one sight of it says nothing
    expect(watch.list()).toEqual([]);
    await write(2);
    await watch.check();
    expect(watch.list()).toEqual([{ host: 'far', pid: 3, since: 'then' }]);
    now += 21_000;
    await watch.check();
    expect(watch.list()).toEqual([]);
    now += 600_000;
    await watch.check();
    expect(await readdir(left)).toEqual([]);
    watch.stop();
  });

  test('with an invalid file are not listed', async () => {
    await mkdir(join(directory, 'worker.standby'));
    const path = join(directory, 'worker.standby', 'a.json');
    const watch = watchStandbys(directory, { monotonic, everyMs: 1_000_000 });
    for (const text of ['', '{"pid":"1; rm"}', '[]', 'x']) {
      await writeFile(path, text);
      await watch.check();
    }
    expect(watch.list()).toEqual([]);
    expect(await readFile(path, 'utf8')).toBe('x');
    watch.stop();
  });
});
