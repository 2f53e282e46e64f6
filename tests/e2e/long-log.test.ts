import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { jobName } from '../../src/slurm/job-identity.js';
import { openBench, type Bench } from '../support/bench.js';
import { expectStatus, status } from '../support/lab.js';
import { amount } from '../support/lengths.js';

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await bench.close();
});

/** The most memory that a process has had, in MiB. */
async function peakMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1]) / 1024;
}

test('a long log arrives completely, and one of three times its length needs no more memory', async () => {
  const worker = bench.start();
  const job = await bench.publish({ args: ['Wait', bench.gate('go')] });
  const logFile = join(bench.settings.dirs.logs ?? '', `${jobName(job.celeryTaskId ?? '')}.log`);
  const block = Buffer.alloc(1024 * 1024, `${'x'.repeat(1023)}\n`);
  const add = async (megabytes: number): Promise<void> => {
    for (let index = 0; index < megabytes; index += 1) await appendFile(logFile, block);
    await appendFile(logFile, `that was ${megabytes} MB\n`);
    await bench.until(
      () => bench.girder.job(job.id)?.log.at(-1)?.includes(`that was ${megabytes} MB`),
      60_000,
    );
  };
  await bench.until(() => bench.girder.job(job.id)?.log.join('').includes('waiting'));
  const megabytes = amount(40, 100);
  await add(megabytes);
  const before = await peakMemory(worker.pid);
  await add(2 * megabytes);
  expect((await peakMemory(worker.pid)) - before).toBeLessThan(60);
  await bench.openGate('go');
  const ended = await bench.ended(job);
  expectStatus(ended, status.success);
  // Girder keeps the newest 4 MiB of a log, and so does the fake
  expect(ended.log.slice(-3).join('')).toMatch(/ticks: \d+/);
});
