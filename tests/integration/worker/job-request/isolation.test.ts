import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { writeFakeImage } from '../../../../src/sandbox/images.js';
import { expectStatus, openLab, status, type Lab } from '../../../support/lab.js';

const image = 'test/hostile:v1';

/** Runs its first argument as a shell script. */
async function installHostileImage(lab: Lab): Promise<void> {
  await writeFakeImage(join(lab.settings.dirs.images ?? '', 'test_hostile_v1.sif'), {
    labels: {},
    config: {
      Entrypoint: ['/bin/sh', '/opt/app/run.sh'],
      WorkingDir: '/made/by/docker',
      Env: ['PRICE=costs $5'],
    },
    files: { '/opt/app/run.sh': { text: '#!/bin/sh\neval "$1"\n', executable: true } },
  });
}

describe.each(['slurm', 'local'] as const)('a hostile container on the executor %s', (executor) => {
  let lab: Lab;
  beforeAll(async () => {
    process.env['LAB_SECRET'] = 'GOT IT';
    lab = await openLab({ 'worker.executor': executor });
    await installHostileImage(lab);
  });
  afterAll(async () => lab.close());

  async function logOf(script: string, environment?: Record<string, string>): Promise<string> {
    const published = await lab.publish({
      image,
      args: [script],
      ...(environment && { options: { environment } }),
    });
    const job = await lab.ended(published);
    expectStatus(job, status.success);
    return job.log.join('');
  }

  test('finds neither logs nor records, state, home or inputs of others', async () => {
    const { dirs } = lab.settings;
    const record = join(dirs.logs ?? '', 'dsa-slurm-another.exit');
    await writeFile(record, 'exit=4\n');
    await writeFile(join(lab.dir, 'profile'), 'GOT IT');
    const script = [
      `for each in ${dirs.logs} ${dirs.state} ${dirs.tmp} ${lab.dir} ${lab.dir}/profile; do`,
      'if [ -e "$each" ]; then echo "GOT IT $each"; fi; done',
      `echo exit=0 >${record} && echo GOT IT`,
      'echo "$LAB_SECRET"',
      'echo tried everything',
    ].join('\n');
    const log = await logOf(script);
    expect(log).toContain('tried everything');
    expect(log).not.toContain('GOT IT');
    expect(await readFile(record, 'utf8')).toBe('exit=4\n');
  });

  test('gets its own environment verbatim, and a working directory that its image lacks', async () => {
    const log = await logOf('pwd; touch beside; echo "$PRICE, $TASK"', { TASK: '`id` $HOME "q"' });
    expect(log).toContain('/made/by/docker\n');
    expect(log).toContain('costs $5, `id` $HOME "q"\n');
    expect(log).not.toContain('WARNING');
  });

  test('a symbolic link at the path of its log is not followed', async () => {
    const taskId = randomUUID();
    const secret = join(lab.dir, 'secret');
    await writeFile(secret, 'untouched');
    const planted = join(lab.settings.dirs.logs ?? '', `dsa-slurm-${taskId}.log`);
    await symlink(secret, planted);
    const published = await lab.publish({ image, args: ['echo words of the container'], taskId });
    const job = await lab.ended(published);
    expectStatus(job, status.success);
    expect(job.log.join('')).toContain('words of the container');
    expect(await readFile(secret, 'utf8')).toBe('untouched');
  });

  test('is not started if its message binds logs, state, profiles or inputs of others', async () => {
    const { dirs } = lab.settings;
    const link = join(lab.dir, 'innocent');
    await symlink(dirs.state, link);
    for (const host of [dirs.logs ?? '', join(dirs.state, 'journal.jsonl'), dirs.tmp, lab.dir, link]) {
      const volumes = { [host]: { bind: '/mnt/loot', mode: 'rw' } };
      const published = await lab.publish({ image, args: ['echo GOT IT'], options: { volumes } });
      const job = await lab.ended(published);
      expectStatus(job, status.error);
      const log = job.log.join('');
      expect(log).toContain(`The path ${host} of this worker's host cannot be given to a container`);
      expect(log).not.toMatch(/^GOT IT$/m);
    }
    await rm(link);
  });

  test('leaves nothing behind, and its log begins with its own output', async () => {
    expect(await logOf('echo first')).toMatch(/^first$/m);
    await lab.until(async () => (await readdir(lab.settings.dirs.tmp)).length === 0);
  });
});
