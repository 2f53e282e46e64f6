import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Spelling } from '../../../src/sandbox/producer/message.js';
import { expectStatus, image, openLab, status, statuses, type Lab } from '../../support/lab.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => {
  await lab.close();
});

describe.concurrent('one task from message to result', () => {
  test.each<Spelling>(['docker', 'singularity', 'singularityInTree', 'dockerRun'])(
    'spelled %s: input, log, progress and output arrive',
    async (spelling) => {
      const { girder } = lab;
      const name = 'a slide é漢 (1).svs';
      const content = `${spelling} \u0000 content`;
      const input = await girder.addFile(girder.rootFolderId, name, Buffer.from(content));
      const results = girder.addFolder(girder.rootFolderId, `results of ${spelling}`);
      const published = await lab.publish({
        spelling,
        args: ['Copy', { file: input.id, name }, { output: 'the copy é.bin', toFolder: results.id }],
      });
      const job = await lab.ended(published);
      expectStatus(job, status.success);
      expect(job.log.join('')).toContain(`copying ${name} in /opt/test`);
      expect(statuses(job)).toEqual([status.running, status.success]);
      expect(job.log.join('')).toContain('done: é漢🔬');
      expect(job.log.join('')).not.toContain('<filter');
      expect(job.progress).toMatchObject({ total: 1, current: 0.5, message: 'copying' });
      expect(await lab.text(results.id, 'the copy é.bin')).toBe(content);
    },
  );

  test('folders, items and files of the same name are kept apart', async () => {
    const { girder } = lab;
    const folder = girder.addFolder(girder.rootFolderId, 'in put');
    const sub = girder.addFolder(folder.id, 'sub');
    await girder.addFile(folder.id, 'a.txt', Buffer.from('A'));
    await girder.addFile(sub.id, 'b.txt', Buffer.from('B'));
    const first = await girder.addFile(
      girder.addFolder(girder.rootFolderId, 'x').id,
      'same.txt',
      Buffer.from('1'),
    );
    const second = await girder.addFile(
      girder.addFolder(girder.rootFolderId, 'y').id,
      'same.txt',
      Buffer.from('2'),
    );
    const third = await girder.addFile(
      girder.addFolder(girder.rootFolderId, 'z').id,
      'item.txt',
      Buffer.from('3'),
    );
    const results = girder.addFolder(girder.rootFolderId, 'results of list');
    const published = await lab.publish({
      args: [
        'List',
        { folder: folder.id, name: 'in put' },
        { file: first.id, name: 'same.txt' },
        { file: second.id, name: 'same.txt' },
        { item: third.itemId },
        { output: 'list.tsv', toFolder: results.id },
      ],
    });
    expectStatus(await lab.ended(published), status.success);
    expect(await lab.text(results.id, 'list.tsv')).toBe(
      'a.txt\tA\nb.txt\tB\nsame.txt\t1\nsame.txt\t2\nitem.txt\t3\n',
    );
  });

  test('a file that is readable on this host is bound instead of downloaded', async () => {
    const { girder } = lab;
    const directPath = join(lab.dir, 'direct, odd: name.svs');
    await writeFile(directPath, 'from the file system');
    const input = await girder.addFile(girder.rootFolderId, 'slide.svs', Buffer.from('from Girder'));
    const results = girder.addFolder(girder.rootFolderId, 'results of direct');
    const published = await lab.publish({
      args: [
        'Copy',
        { file: input.id, name: 'slide.svs', directPath },
        { output: 'o', toFolder: results.id },
      ],
    });
    expectStatus(await lab.ended(published), status.success);
    expect(await lab.text(results.id, 'o')).toBe('from the file system');
    expect(girder.requests().some(({ path }) => path === `file/${input.id}/download`)).toBe(false);
  });

  test.each(['../../escaped', '/etc/passwd', '', 'a\nb\u0007', `${'é'.repeat(150)}.svs`])(
    'an input named %j stays in its directory',
    async (name) => {
      const { girder } = lab;
      const input = await girder.addFile(
        girder.rootFolderId,
        name === '' ? 'empty' : name,
        Buffer.from('content'),
      );
      const results = girder.addFolder(girder.rootFolderId, `results of ${name.length}`);
      const published = await lab.publish({
        args: ['Copy', { file: input.id, name }, { output: 'out', toFolder: results.id }],
      });
      expectStatus(await lab.ended(published), status.success);
      expect(await lab.text(results.id, 'out')).toBe('content');
      expect(await readdir(lab.settings.dirs.tmp)).not.toContain('escaped');
    },
  );

  test("arguments reach the container as they are; tokens stay out of Slurm's records", async () => {
    const { girder } = lab;
    const results = girder.addFolder(girder.rootFolderId, 'results of show');
    const odd = [`it's "quoted" $HOME \`id\` ; rm -rf / | & > x`, '', '-x', 'a\\nb', '*'];
    const published = await lab.publish({
      options: { environment: { DEMO_SETTING: 'on, and odd=yes' } },
      args: ['Show', { output: 'args', toFolder: results.id }, ...odd, { apiUrl: true }, { token: true }],
    });
    const job = await lab.ended(published);
    expectStatus(job, status.success);
    const lines = (await lab.text(results.id, 'args')).split('\n');
    expect(lines.slice(0, -3)).toEqual(odd);
    expect(lines.slice(-3)).toEqual([`${girder.apiUrl}/`, girder.userToken, '']);
    expect(job.log.join('')).toContain('setting: on, and odd=yes');
    const run = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === published.id);
    const shown = await lab.command('scontrol', ['show', 'job', run?.jobId ?? '']);
    expect(shown).toMatchObject({ kind: 'exited', exitCode: 0 });
    expect(JSON.stringify(shown)).toContain('singularity.slurm');
    expect(JSON.stringify(shown)).not.toContain(girder.userToken);
  });

  test("a user's resources reach Slurm, and options that users may not set fail the run", async () => {
    const good = await lab.publish({
      args: ['Wait', '/etc/hostname', '--slurm_mem_per_cpu', '77M', '--slurm_time=5'],
    });
    const bad = await lab.publish({ args: ['Copy', '--slurm_output', '/tmp/stolen'] });
    const badJob = await lab.ended(bad);
    expect(badJob.status).toBe(status.error);
    expect(badJob.log.join('')).toContain('--slurm_output');
    await lab.ended(good);
    const jobId = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === good.id)?.jobId;
    const shown = await lab.command('scontrol', ['show', 'job', jobId ?? '']);
    expect(JSON.stringify(shown)).toMatch(/MinMemoryCPU=77M.*|TimeLimit=00:05:00/);
    expect(JSON.stringify(shown)).toContain('TimeLimit=00:05:00');
  });

  test('a long log arrives complete and in order', async () => {
    const job = await lab.ended(await lab.publish({ args: ['Talk', '5000'] }), 90_000);
    expectStatus(job, status.success);
    const numbers = [...job.log.join('').matchAll(/^line (\d+)/gm)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1));
  });

  test('screens show the owner of a run', async ({ expect }) => {
    // Girder names the user with an output, and nowhere else
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results of slide 7');
    const published = await lab.publish({
      title: 'Nuclei on slide 7',
      args: ['Show', { output: 'args', toFolder: results.id }, { apiUrl: true }],
    });
    await lab.ended(published);
    await expect
      .poll(() => lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === published.id), {
        timeout: 90_000,
      })
      .toMatchObject({ user: 'pathologist', title: 'Nuclei on slide 7', image, cli: 'Show' });
  });
});

test('nothing is left behind', async () => {
  await lab.until(() => lab.worker.handle.snapshot().health.inFlight === 0);
  expect(await readdir(lab.settings.dirs.tmp)).toEqual([]);
  const logs = await readdir(lab.settings.dirs.logs ?? '');
  expect(logs.filter((name) => name.endsWith('.exit'))).toEqual([]);
});
