import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { expect, onTestFinished, test } from 'vitest';

import { amount } from '../support/lengths.js';

const all = ['start', 'parts', 'doctor', 'latency', 'burst', 'intake', 'in-flight', 'transfer'];
const short = ['start', 'latency', 'burst'];

const script = fileURLToPath(new URL('../../scripts/bench.mjs', import.meta.url));

// no figure is judged here: a busy machine says nothing about the worker
test('scenarios of the bench run at small size and give their figures', async () => {
  const wanted = amount(short, all);
  const dir = await mkdtemp(join(tmpdir(), 'dsa-bench-'));
  onTestFinished(async () => rm(dir, { recursive: true, force: true }));
  const json = join(dir, 'figures.json');
  const child = spawn(process.execPath, [script, '--small', '--only', wanted.join(','), '--json', json], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code, `${await stdout}${await stderr}`).toBe(0);
  const { rows } = JSON.parse(await readFile(json, 'utf8')) as {
    rows: { scenario: string; ours: number }[];
  };
  const scenarios = new Set(rows.map(({ scenario }) => scenario));
  expect([...scenarios]).toEqual(wanted);
  expect(rows.filter(({ ours }) => !Number.isFinite(ours) || ours < 0)).toEqual([]);
}, 300_000);
