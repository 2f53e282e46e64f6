import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

describe('the npm package', () => {
  let directory: string;
  let tarball: string;
  let installed: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dsa-slurm-package-'));
    installed = join(directory, 'package');
    const { stdout } = await run(
      'npm',
      ['pack', '--ignore-scripts', '--silent', '--pack-destination', directory],
      {
        cwd: root,
      },
    );
    tarball = join(directory, stdout.trim());
    await run('tar', ['-xzf', tarball, '-C', directory]);
    // what npm would install beside it
    await symlink(join(root, 'node_modules'), join(installed, 'node_modules'));
  });
  afterAll(async () => rm(directory, { recursive: true, force: true }));

  test('is valid for npm', async () => {
    expect((await publint({ pkgDir: root })).messages).toEqual([]);
  });

  test('contains the bundled program and the files that it reads, and no sources', async () => {
    const { stdout } = await run('find', [installed, '-type', 'f', '-printf', '%P\n']);
    const folders = new Set(
      stdout
        .trimEnd()
        .split('\n')
        .map((path) => path.split('/')[0]),
    );
    expect(folders).toEqual(
      new Set([
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'THIRD-PARTY-NOTICES.txt',
        'bin',
        'dist',
        'docs',
        'man',
        'package.json',
        'sbom.cdx.json',
        'templates',
      ]),
    );
  });

  test('is packed to the same bytes again, and runs no scripts when it is installed', async () => {
    const again = await mkdtemp(join(directory, 'again-'));
    const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination'];
    const { stdout } = await run('npm', [...args, again], { cwd: root });
    const [first, second] = await Promise.all(
      [tarball, join(again, stdout.trim())].map(async (path) => readFile(path)),
    );
    expect(first).toEqual(second);
    const { scripts } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const name of ['preinstall', 'install', 'postinstall']) expect(scripts).not.toHaveProperty(name);
  });

  test('is installed under a prefix of the user, without running a script', async () => {
    const prefix = join(directory, 'prefix');
    await run('npm', ['install', '--global', '--ignore-scripts', '--prefix', prefix, tarball]);
    const env = { PATH: `${join(root, 'node_modules/.bin')}:/usr/bin:/bin`, HOME: directory };
    const started = await run(join(prefix, 'bin/dsa-slurm'), ['--version'], { env });
    expect(started.stdout).toBe(`${version}\n`);
    await run(join(prefix, 'bin/dsa-slurm'), ['config', 'show'], { env });
  });

  test('runs from any directory', async () => {
    const env = { PATH: process.env['PATH'], HOME: directory };
    const program = join(installed, 'bin', 'dsa-slurm');
    expect((await run(program, ['--version'], { env })).stdout).toBe(`${version}\n`);
    const contract = join(root, 'tests/fixtures/contract');
    const name = 'g3.direct_docker_run.batch_subjob.json';
    const { stdout } = await run(
      program,
      ['explain', '--json', '--show-secrets', join(contract, 'tasks', name)],
      { env },
    );
    const expected = JSON.parse(await readFile(join(contract, 'expected/decoded', name), 'utf8')) as Record<
      string,
      unknown
    >;
    const { args, kwargs, embed } = expected;
    expect(JSON.parse(stdout)).toMatchObject({ decoded: { args, kwargs, embed } });
  });
});
