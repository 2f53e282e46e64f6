import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openBench, type Bench } from '../support/bench.js';
import { hangDirectory } from '../support/hanging-directory.js';
import { status } from '../support/lab.js';

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await bench.close();
});

test('a worker whose files hang still stops on request, and the next one resumes its runs', async ({
  skip,
}) => {
  const worker = bench.start();
  const job = await bench.publish({ args: ['Wait', bench.gate('end')] });
  const log = (): string => bench.girder.job(job.id)?.log.join('') ?? '';
  await bench.until(() => log().includes('tick 2'), 60_000);
  const letGo = await hangDirectory(bench.settings.dirs.logs ?? '');
  if (letGo === null) skip('this user may not mount');
  try {
    // it has run into it, and says so to others
    const told = async (): Promise<string> =>
      readFile(join(bench.stateDir, 'worker.status.json'), 'utf8').catch(() => '');
    await bench.until(async () => (await told()).includes('has not answered for'), 90_000);
    worker.signal('SIGTERM');
    expect(await worker.ended).toBe('SIGKILL');
    expect(worker.stderr()).toContain('a shared file system does not respond');
  } finally {
    await letGo?.();
  }
  await bench.openGate('end');
  bench.start();
  expect((await bench.ended(job)).status).toBe(status.success);
  const ticks = [...log().matchAll(/^tick (\d+)$/gm)].map((match) => Number(match[1]));
  expect(ticks).toEqual(ticks.map((_, index) => index + 1));
});
