import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/chaos.mjs', import.meta.url));

// `npm run chaos -- --seed 1 --kills 200` is the long one
test('a worker that is killed repeatedly, while other components fail, loses and doubles nothing', async () => {
  const args = ['--seed', '2287', '--kills', '6', '--runs', '10', '--json'];
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  const report = JSON.parse((await stdout) || 'null') as Record<string, unknown> | null;
  expect(report?.['problems'] ?? (await stderr)).toEqual([]);
  expect(report).toMatchObject({ seed: 2287, lost: 0, doubled: 0, wrong: 0, runs: { total: 10 } });
  const kills = Object.values(report?.['kills'] as Record<string, number>);
  expect(kills.reduce((sum, each) => sum + each, 0)).toBe(6);
  expect(code).toBe(0);
  // less than a minute where nothing else runs
}, 600_000);
