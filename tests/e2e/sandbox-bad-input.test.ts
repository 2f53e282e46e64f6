import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { runOnMachine } from '../support/namespaces.js';
import { processesIn, sandboxCommand, startSandbox } from '../support/sandbox-program.js';

let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dsa-bad-'));
});

afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

/** A machine on which `<parent>/<name>` is a file system of its own, mounted with these options. */
async function withFileSystem(name: string, options: string, ...args: string[]) {
  const [dir, mounted] = [join(parent, `${name}-machine`), join(parent, name)];
  await Promise.all([dir, mounted].map(async (directory) => mkdir(directory, { recursive: true })));
  const setup = [`mount -t tmpfs -o ${options} tmpfs ${mounted}`];
  const hosts = ['127.0.0.1 localhost lab-pc'];
  return runOnMachine({ dir, hostName: 'lab-pc', hosts, setup }, sandboxCommand(...args));
}

function run(...args: string[]): Promise<{ code: number; stderr: string }> {
  const [file = '', ...rest] = sandboxCommand(...args);
  return new Promise((resolve) => {
    execFile(file, rest, (error, _stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }));
  });
}

describe.concurrent('dsa-slurm sandbox refuses', () => {
  test.each(['0', '-1', 'x', '1.5', '', '100000'])('--count %j', async (count) => {
    const { code, stderr } = await run(`--count=${count}`);
    expect(code).toBe(2);
    expect(stderr).toContain('It must be a whole number from 1 to 10000.');
  });

  test('a directory that is not empty, without changing it', async () => {
    const dir = await mkdtemp(join(parent, 'full-'));
    await writeFile(join(dir, 'mine'), '');
    const { code, stderr } = await run('--dir', dir);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `dsa-slurm: ${dir} is not empty.\n  Name a directory that does not exist yet.\n`,
    });
    expect(await readdir(dir)).toEqual(['mine']);
  });

  test('a path that slurm.conf cannot hold', async () => {
    const { code, stderr } = await run('--dir', join(parent, 'my sandbox'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^dsa-slurm: Slurm's configuration cannot hold the path .*my sandbox\.\n/);
  });

  test('a file, and a name that is too long', async () => {
    const file = join(parent, 'file');
    await writeFile(file, '');
    expect(await run('--dir', file)).toMatchObject({ code: 1, stderr: expect.stringContaining('(EEXIST)') });
    const long = join(parent, 'x'.repeat(300));
    expect(await run('--dir', long)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(ENAMETOOLONG)'),
    });
  });

  test('a directory on a file system that cannot be written to', async () => {
    const dir = join(parent, 'read-only');
    const { code, stderr } = await withFileSystem('read-only', 'ro', '--dir', dir);
    expect(code).toBe(1);
    expect(stderr).toContain(`${dir} cannot be created or written to (EROFS).`);
  });

  test('a directory on a file system that is mounted noexec, leaving nothing there', async () => {
    const dir = join(parent, 'noexec', 'site');
    const { code, stderr } = await withFileSystem('noexec', 'noexec', '--dir', dir);
    expect(code).toBe(1);
    expect(stderr).toContain(`Programs cannot be run in ${dir}: its file system is mounted noexec.`);
    expect(stderr).toContain('--dir /var/tmp/sandbox');
  });
});

test('a second sandbox in the same directory, but accepts a path that is too long for a socket', async () => {
  const dir = join(await mkdtemp(join(parent, 'long-')), 'a'.repeat(120), 'site');
  const first = startSandbox({ HOME: parent, TMPDIR: parent }, '--dir', dir, '--count', '1');
  await vi.waitFor(() => expect(first.text()).toContain('Starting RabbitMQ'), { timeout: 60_000 });
  expect(await run('--dir', dir)).toMatchObject({ code: 2, stderr: expect.stringContaining('is not empty') });
  expect(await first.ended).toBe(0);
  expect(first.text()).toContain('The analysis ended as planned');
  expect(await processesIn(dir)).toEqual([]);
});
