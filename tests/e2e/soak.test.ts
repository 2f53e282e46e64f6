import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { amount } from '../support/lengths.js';

const script = fileURLToPath(new URL('../../scripts/soak.mjs', import.meta.url));

// `npm run soak -- --runs 20000` is the strict one
test(
  'after hundreds of runs a worker has no more timers and sockets, and hardly more memory',
  async () => {
    const runs = amount(200, 2_000);
    const args = ['--window', '20', '--warm', '50', '--samples', '10', '--bytes', '20000'];
    const child = spawn(process.execPath, [script, '--runs', String(runs), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
    const [code] = (await once(child, 'close')) as [number | null];
    const message = `${await stdout}${await stderr}`;
    // every seventh fails
    expect(message).toMatch(new RegExp(`^ +${runs} +${Math.floor(runs / 7)} `, 'm'));
    expect(message).toContain(': flat');
    expect(code).toBe(0);
  },
  amount(300_000, 1_800_000),
);
