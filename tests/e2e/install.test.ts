import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dsa-install-'));
});
afterAll(async () => rm(directory, { recursive: true, force: true }));

const prefixOf = (arch: string) => join(directory, arch);
const packageOf = (arch: string) => join(prefixOf(arch), `lib/dsa-slurm-${version}`);

describe('npm run package', () => {
  const machines = { x64: 62, arm64: 183 } as const; // e_machine of ELF

  beforeAll(async () => {
    const { stdout } = await run(process.execPath, [join(root, 'scripts/package.mjs'), '--fast'], {
      cwd: root,
    });
    const archives = stdout.match(/^\S+\.tar\.gz/gm) ?? [];
    expect(archives.map((path) => basename(path))).toEqual(
      Object.keys(machines).map((arch) => `dsa-slurm-${version}-linux-${arch}.tar.gz`),
    );
    for (const [index, arch] of Object.keys(machines).entries()) {
      await mkdir(prefixOf(arch));
      await run('tar', ['-xzf', join(root, archives[index] ?? ''), '-C', prefixOf(arch)]);
    }
  });

  test.each(Object.entries(machines))(
    'has a Node.js for %s, and nothing for another',
    async (arch, machine) => {
      const program = packageOf(arch);
      const files = await readdir(program, { recursive: true, withFileTypes: true });
      const compiled: Record<string, number> = {};
      for (const entry of files.filter((each) => each.isFile())) {
        const path = join(entry.parentPath, entry.name);
        const file = await open(path);
        try {
          const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0);
          if (buffer.toString('latin1', 1, 4) === 'ELF')
            compiled[relative(program, path)] = buffer.readUInt16LE(18);
        } finally {
          await file.close();
        }
      }
      expect(compiled).toEqual({ 'node_modules/node/bin/node': machine });
    },
  );

  test('runs where no Node.js is on PATH', async () => {
    const bin = await mkdtemp(join(directory, 'path-'));
    const { stdout } = await run('sh', ['-c', 'command -v readlink']);
    await symlink(stdout.trim(), join(bin, 'readlink'));
    const home = await mkdtemp(join(directory, 'home-'));
    const started = async (...args: string[]) =>
      run(join(prefixOf(process.arch), 'bin/dsa-slurm'), args, { env: { PATH: bin, HOME: home } });
    expect((await started('--version')).stdout).toBe(`${version}\n`);
    const doctor = await started('doctor', '--json').catch((thrown: { stdout: string }) => thrown);
    const report = JSON.parse(doctor.stdout) as { checks: { id: string; status: string }[] };
    expect(report.checks.find(({ id }) => id === 'host.node')).toMatchObject({ status: 'ok' });
    await started('init', '--print-answers');
  });

  test('contains every package that is not bundled, with its dependencies', async () => {
    const text = await readFile(join(root, 'rolldown.config.js'), 'utf8');
    const names = [...text.matchAll(/^ {2}'([\w-]+)',/gm)].map(([, name = '']) => name);
    expect(names).toContain('amqplib');
    const program = packageOf(process.arch);
    const script = names.map((name) => `await import('${name}');`).join(' ');
    await run(join(program, 'node_modules/node/bin/node'), ['--input-type=module', '-e', script], {
      cwd: program,
    });
  });
});
