import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBench, type Bench } from '../../support/bench.js';
import { expectStatus, status } from '../../support/lab.js';
import { startProgram } from '../../support/program.js';

let bench: Bench;
const umask = process.umask();

beforeAll(async () => {
  bench = await openBench();
  // child processes inherit it
  process.umask(0);
});

afterAll(async () => {
  process.umask(umask);
  await bench.close();
});

/** Everything below a directory that others may read or write, as `mode path`. */
async function openToOthers(top: string, directory = top): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    const mode = (await lstat(path)).mode & 0o777;
    if ((mode & 0o077) !== 0) found.push(`${mode.toString(8)} ${relative(top, path)}`);
    if (entry.isDirectory()) found.push(...(await openToOthers(top, path)));
  }
  return found;
}

test('state and cache are private, whatever the umask', async () => {
  const home = bench.env['XDG_STATE_HOME'] ?? '';
  await mkdir(home, { mode: 0o700, recursive: true });
  bench.start([...bench.quickFlags, '--log-file', join(bench.stateDir, 'worker.log')]);
  const failed = await bench.publish({ args: ['Fail'] });
  const running = await bench.publish({ args: ['Wait', '/mnt/never'] });
  // so that its message is kept
  expectStatus(await bench.ended(failed), status.error);
  await bench.until(() => bench.girder.job(running.id)?.status === status.running);
  const second = startProgram(['worker', '--standby', ...bench.queueFlags, ...bench.quickFlags], {
    env: bench.env,
  });
  try {
    await bench.until(async () => {
      const names = await readdir(bench.stateDir);
      return ['worker.standby', 'worker.status.json', 'worker.socket.json', 'messages'].every((name) =>
        names.includes(name),
      );
    });
    expect(await openToOthers(home)).toEqual([]);
    // Node creates a directory inside with the umask's mode, but others cannot enter its parent
    const cache = await lstat(join(bench.env['XDG_CACHE_HOME'] ?? '', 'dsa-slurm'));
    expect((cache.mode & 0o777).toString(8)).toBe('700');
  } finally {
    second.signal('SIGTERM');
    await second.ended;
  }
}, 120_000);
