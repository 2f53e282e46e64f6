import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { prepareAccounting } from '../../../src/sandbox/services/accounting.js';

test('MariaDB keeps its temporary tables away from those of another one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-accounting-'));
  onTestFinished(async () => rm(dir, { recursive: true }));
  const calls: string[][] = [];
  const files = {
    dir,
    socketDir: dir,
    mungeSocket: join(dir, 'munge.socket'),
    user: 'nobody',
    databasePort: 1,
    port: 2,
    enableIpv6: false,
  };
  const { mariadb } = await prepareAccounting(files, async (file, args) => {
    calls.push([file, ...args]);
    return { kind: 'exited', exitCode: 0, stdout: '', stderr: '', ms: 1 };
  });
  const own = `--tmpdir=${join(dir, 'database-tmp')}`;
  expect(calls).toEqual([expect.arrayContaining(['mariadb-install-db', own])]);
  expect(mariadb.args).toContain(own);
  expect((await stat(join(dir, 'database-tmp'))).mode & 0o777).toBe(0o700);
});
