import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { amount } from '../support/lengths.js';

const script = fileURLToPath(new URL('../../scripts/chaos.mjs', import.meta.url));

// `npm run chaos -- --seed 1 --kills 200` is the long one
test(
  'a worker that is killed repeatedly, while other components fail, loses and doubles nothing',
  async () => {
    const [wanted, runs] = [amount(6, 60), amount(10, 60)];
    const args = ['--seed', '2287', '--kills', String(wanted), '--runs', String(runs), '--json'];
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
    const [code] = (await once(child, 'close')) as [number | null];
    const report = JSON.parse((await stdout) || 'null') as Record<string, unknown> | null;
    expect(report?.['problems'] ?? (await stderr)).toEqual([]);
    expect(report).toMatchObject({ seed: 2287, lost: 0, doubled: 0, wrong: 0, runs: { total: runs } });
    const kills = Object.values(report?.['kills'] as Record<string, number>);
    expect(kills.reduce((sum, each) => sum + each, 0)).toBe(wanted);
    expect(code).toBe(0);
    // less than a minute where nothing else runs
  },
  amount(600_000, 3_600_000),
);
