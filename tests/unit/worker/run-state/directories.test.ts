import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { prepareDirectories } from '../../../../src/worker/run-state/directories.js';
import { someSettings } from '../../../support/settings.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-directories-'));
  for (const name of ['tmp', 'logs', 'images']) await mkdir(join(dir, name), { mode: 0o755 });
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

const prepare = async (): Promise<void> =>
  prepareDirectories(
    someSettings({
      'dirs.tmp': join(dir, 'tmp'),
      'dirs.logs': join(dir, 'logs'),
      'dirs.images': join(dir, 'images'),
    }),
  );

it.each([
  ['logs', 0o777],
  // a link could still be planted for a log that is not there yet
  ['logs', 0o1777],
  ['tmp', 0o777],
] as const)('dirs.%s of mode %o is refused, with the cure', async (name, mode) => {
  await prepare();
  await chmod(join(dir, name), mode);
  await expect(prepare()).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining(`chmod o-w ${join(dir, name)}`),
  });
});

it('dirs.tmp may be like the /tmp of a system', async () => {
  await chmod(join(dir, 'tmp'), 0o1777);
  await expect(prepare()).resolves.toBeUndefined();
});
