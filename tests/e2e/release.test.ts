import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../../scripts/release.mjs', import.meta.url));

const changelog = `# Changelog

## Unreleased

### Added

- A thing ([docs/thing.md](docs/thing.md)).

## 0.1.0

The first release.
`;

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-release-'));
  await mkdir(join(dir, 'scripts'));
  await cp(script, join(dir, 'scripts', 'release.mjs'));
  const scripts = { docs: 'echo docs >> made', notices: 'echo notices >> made' };
  const files = {
    'package.json': JSON.stringify(
      { name: 'dsa-slurm', version: '0.1.0', type: 'module', files: ['CHANGELOG.md'], scripts },
      null,
      2,
    ),
    'package-lock.json': JSON.stringify({
      name: 'dsa-slurm',
      version: '0.1.0',
      packages: { '': { version: '0.1.0' } },
    }),
    'CHANGELOG.md': changelog,
    'README.md': 'npm install ./dsa-slurm-0.1.0.tgz\n',
    LICENSE: '',
    '.gitignore': 'build/\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  await git('init', '--quiet');
  await git('add', '--all');
  await git(
    '-c',
    'user.name=Test',
    '-c',
    'user.email=test@localhost',
    'commit',
    '--quiet',
    '--message=Start',
  );
});

afterEach(async () => rm(dir, { recursive: true }));

async function git(...args: string[]): Promise<string> {
  return (await run('git', args, { cwd: dir })).stdout;
}

async function release(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = [join(dir, 'scripts', 'release.mjs'), ...args, '--date', '2026-12-01', '--no-archives'];
  try {
    return { code: 0, ...(await run(process.execPath, command, { cwd: dir })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('npm run release', () => {
  test('--dry-run shows the release notes and writes nothing', async () => {
    const { code, stdout } = await release('0.2.0', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('Would release 0.2.0 (now 0.1.0), dated 2026-12-01:');
    expect(stdout).toContain('# dsa-slurm 0.2.0\n\n### Added\n\n- A thing (docs/thing.md).\n');
    expect(stdout).not.toContain('The first release');
    expect(await git('status', '--porcelain')).toBe('');
  });

  test('writes version, changelog, package, checksums and notes', async () => {
    await chmod(join(dir, 'README.md'), 0o600);
    const { code, stdout } = await release('0.2.0');
    expect(code).toBe(0);
    expect(stdout).toContain('git tag --annotate v0.2.0');
    const text = async (path: string): Promise<string> => readFile(join(dir, path), 'utf8');
    expect(JSON.parse(await text('package.json'))).toMatchObject({ version: '0.2.0' });
    expect(JSON.parse(await text('package-lock.json'))).toMatchObject({
      version: '0.2.0',
      packages: { '': { version: '0.2.0' } },
    });
    expect(await text('CHANGELOG.md')).toBe(changelog.replace('## Unreleased', '## 0.2.0 - 2026-12-01'));
    expect(await text('README.md')).toContain('dsa-slurm-0.2.0.tgz');
    expect(await text('made')).toBe('docs\nnotices\n');
    expect(await text('build/release/release-notes.md')).toContain('- A thing');
    expect((await stat(join(dir, 'README.md'))).mode & 0o777).toBe(0o644);
    const checked = await run('sha256sum', ['--check', 'SHA256SUMS'], { cwd: join(dir, 'build/release') });
    expect(checked.stdout).toBe('dsa-slurm-0.2.0.tgz: OK\n');
    expect(await git('log', '--format=%s')).toBe('Start\n');
  });

  test.each([
    ['a version that is not newer', ['0.1.0'], /0\.1\.0 is not newer than 0\.1\.0/],
    ['something else than a version', ['next'], /Name one version/],
    ['two versions', ['0.2.0', '0.3.0'], /Name one version/],
  ])('refuses %s', async (_, args, why) => {
    const answer = await release(...args);
    expect(answer.code).toBe(2);
    expect(answer.stderr).toMatch(why);
    expect(await git('status', '--porcelain')).toBe('');
  });

  test('refuses a working tree with changes', async () => {
    await writeFile(join(dir, 'README.md'), 'edited\n');
    const answer = await release('0.2.0');
    expect(answer.code).toBe(2);
    expect(answer.stderr).toContain('README.md');
    expect(await readFile(join(dir, 'CHANGELOG.md'), 'utf8')).toBe(changelog);
  });

  test('refuses a changelog without new entries', async () => {
    await writeFile(join(dir, 'CHANGELOG.md'), changelog.replace(/^- A thing.*$/m, ''));
    await git('-c', 'user.name=Test', '-c', 'user.email=test@localhost', 'commit', '--quiet', '-am', 'Empty');
    const answer = await release('0.2.0');
    expect(answer.code).toBe(2);
    expect(answer.stderr).toContain('has no entries');
  });
});
