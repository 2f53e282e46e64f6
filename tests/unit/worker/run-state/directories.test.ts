import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { prepareDirectories } from '../../../../src/worker/run-state/directories.js';
import { someSettings } from '../../../support/settings.js';

const user = process.geteuid?.() ?? -1;
let dir: string;
const logs = (): string => join(dir, 'logs');
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-directories-'));
  for (const name of ['tmp', 'logs', 'images']) await mkdir(join(dir, name), { mode: 0o755 });
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

const prepare = async (): ReturnType<typeof prepareDirectories> =>
  prepareDirectories(
    someSettings({
      'dirs.tmp': join(dir, 'tmp'),
      'dirs.logs': join(dir, 'logs'),
      'dirs.images': join(dir, 'images'),
    }),
  );

it.each([
  ['logs', 0o777],
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
  await expect(prepare()).resolves.toMatchObject({ dirs: { tmp: join(dir, 'tmp') } });
});

describe('dirs.logs like the /tmp of a system', () => {
  const own = (): string => join(logs(), `dsa-slurm-${user}`);
  const notOurs = { code: 'config', message: expect.stringContaining('does not belong to this user') };
  beforeEach(async () => chmod(logs(), 0o1777));

  it('is used through a directory in it that no other user can look into', async () => {
    expect(await prepare()).toMatchObject({ dirs: { logs: own() } });
    // and so does the next start
    expect(await prepare()).toMatchObject({ dirs: { logs: own() } });
    expect((await stat(own())).mode & 0o7777).toBe(0o700);
  });

  it('is refused where another user has put a link or a file there', async () => {
    const elsewhere = join(dir, 'elsewhere');
    await mkdir(elsewhere, { mode: 0o700 });
    await symlink(elsewhere, own());
    await expect(prepare()).rejects.toMatchObject(notOurs);
    await rm(own());
    await writeFile(own(), '');
    await expect(prepare()).rejects.toMatchObject(notOurs);
  });

  it('is refused where others may look into that directory', async () => {
    await mkdir(own());
    await chmod(own(), 0o750);
    await expect(prepare()).rejects.toMatchObject({ message: expect.stringContaining(`chmod 700 ${own()}`) });
  });

  it.runIf(user === 0)(
    'is refused where that directory, or dirs.logs itself, belongs to another user',
    async () => {
      await mkdir(own(), { mode: 0o700 });
      await chown(own(), 65_534, 65_534);
      await expect(prepare()).rejects.toMatchObject(notOurs);
      await rm(own(), { recursive: true });
      await chown(logs(), 65_534, 65_534);
      await expect(prepare()).rejects.toMatchObject({
        message: expect.stringContaining(`chmod o-w ${logs()}`),
      });
    },
  );
});
