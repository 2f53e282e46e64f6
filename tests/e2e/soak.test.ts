import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/soak.mjs', import.meta.url));

// `npm run soak -- --runs 20000` is the long one, and the strict one
test('after two hundred runs a worker has no more timers and sockets, and hardly more memory', async () => {
  const args = ['--runs', '200', '--window', '20', '--warm', '50', '--samples', '10', '--bytes', '20000'];
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  const said = `${await stdout}${await stderr}`;
  // every seventh fails
  expect(said).toMatch(/^ +200 +28 /m);
  expect(said).toContain(': flat');
  expect(code).toBe(0);
}, 300_000);
