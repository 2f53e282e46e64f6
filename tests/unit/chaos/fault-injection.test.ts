import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { expect, onTestFinished, test } from 'vitest';

import { importUrl } from '../../chaos/fault-injection.js';
import type { Moment, PlannedKill } from '../../chaos/plan.js';

/** Writes a journal with the same calls as a worker, and prints the results. */
const writer = `
  import { open, rename } from 'node:fs/promises';
  const [path] = process.argv.slice(1);
  const fresh = await open(path + '.new', 'a');
  await fresh.appendFile('{"journal":"dsa-slurm"}\\n');
  await fresh.appendFile('{"snapshot":"of a run"}\\n');
  await fresh.sync();
  await rename(path + '.new', path);
  for (const type of ['staging', 'staged', 'staged']) {
    await fresh.appendFile(JSON.stringify({ run: 'a', event: { type } }) + '\\n').catch((error) => console.log(error.code));
    await fresh.datasync();
    console.log(type);
  }
`;

const text = async (file: string): Promise<string | null> => readFile(file, 'utf8').catch(() => null);

async function write(kill: PlannedKill, isFull = false) {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-in-worker-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const files = {
    diedFile: join(dir, 'died'),
    fullFile: join(dir, 'full'),
    slowFile: join(dir, 'slow'),
    clockFile: join(dir, 'clock'),
  };
  if (isFull) await writeFile(files.fullFile, '');
  const path = join(dir, 'journal.jsonl');
  const args = ['--import', importUrl({ kill, ...files })];
  const { signal, stdout } = await promisify(execFile)(process.execPath, [
    ...args,
    '--input-type=module',
    '--eval',
    writer,
    path,
  ]).then(
    ({ stdout }) => ({ signal: null, stdout }),
    (error: { signal: string; stdout: string }) => error,
  );
  return {
    signal,
    message: stdout.trim().split('\n'),
    journal: await text(path),
    fresh: await text(`${path}.new`),
    died: (await text(files.diedFile)) !== null,
  };
}

const head = '{"journal":"dsa-slurm"}\n{"snapshot":"of a run"}\n';
const line = (type: string): string => `{"run":"a","event":{"type":"${type}"}}\n`;

test.each<[Moment, string]>([
  ['before', ''],
  ['torn', line('staged').slice(0, 18)],
  ['written', line('staged')],
  ['synced', line('staged')],
])('the second line of a kind, %s: the process dies there', async (moment, last) => {
  const died = await write({ kind: 'line', line: 'staged', moment, nth: 2, part: 0.5 });
  expect(died).toEqual({
    signal: 'SIGKILL',
    message: ['staging', 'staged'],
    journal: `${head}${line('staging')}${line('staged')}${last}`,
    fresh: null,
    died: true,
  });
});

test.each<['torn' | 'written' | 'synced', string | null, string | null]>([
  ['torn', null, `{"journal":"dsa-slurm"}\n{"snapshot"`],
  ['written', null, head],
  ['synced', head, null],
])('the start, %s: the process dies there', async (moment, journal, fresh) => {
  const died = await write({ kind: 'start', moment, part: 0.5 });
  expect(died).toEqual({ signal: 'SIGKILL', message: [''], journal, fresh, died: true });
});

test('a full disk takes half of a line', async () => {
  const { signal, message } = await write({ kind: 'time', since: 'start', afterMs: 0 }, true);
  expect([signal, message]).toEqual([null, ['ENOSPC', 'staging', 'ENOSPC', 'staged', 'ENOSPC', 'staged']]);
});

test('the clock is set back as long as the file is there', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-in-worker-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const clockFile = join(dir, 'clock');
  await writeFile(clockFile, '90000');
  const kill = { kind: 'time', since: 'start', afterMs: 0 } as const;
  const instructions = { kill, diedFile: '', fullFile: '', slowFile: '', clockFile };
  const script = `
    import { rmSync, writeFileSync } from 'node:fs';
    import { setTimeout as delay } from 'node:timers/promises';
    const [clockFile] = process.argv.slice(1);
    writeFileSync(clockFile + '.now', '');
    const real = (await import('node:fs')).statSync(clockFile + '.now').mtimeMs;
    const behind = (time) => Math.round((real - time) / 10_000);
    console.log(behind(Date.now()), behind(new Date().getTime()), new Date(5).getTime(), new Date() instanceof Date);
    rmSync(clockFile);
    while (behind(Date.now()) > 0) await delay(10);
    console.log('forward again');
  `;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    importUrl(instructions),
    '--input-type=module',
    '--eval',
    script,
    clockFile,
  ]);
  expect(stdout).toBe('9 9 5 true\nforward again\n');
});
