import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const launcher = fileURLToPath(new URL('../../../bin/dsa-slurm', import.meta.url));

let directory: string;
let installed: string;
let path: string;

/** A program that prints a version, or its arguments. */
function fakeNode(file: string, version: string): void {
  const name = file.slice(directory.length + 1);
  writeFileSync(
    file,
    `#!/bin/sh\nif [ "$1" = --version ]; then ${version}; exit; fi
# options of Node.js come before the program
while [ "\${1#--}" != "$1" ]; do shift; done
echo "${name} $# \${2-}"
`,
  );
  chmodSync(file, 0o755);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dsa-launcher-'));
  installed = join(directory, 'package');
  path = join(directory, 'path');
  for (const folder of [join(installed, 'bin'), join(installed, 'dist/cli'), path])
    mkdirSync(folder, { recursive: true });
  copyFileSync(launcher, join(installed, 'bin/dsa-slurm'));
  writeFileSync(join(installed, 'dist/cli/main.js'), '');
  const readlink = spawnSync('sh', ['-c', 'command -v readlink'], { encoding: 'utf8' }).stdout.trim();
  symlinkSync(readlink, join(path, 'readlink'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function start(file = join(installed, 'bin/dsa-slurm')) {
  const { status, stdout, stderr } = spawnSync(file, ['worker'], { env: { PATH: path }, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('bin/dsa-slurm', () => {
  it('reports in one sentence that Node.js is missing', () => {
    const { status, stderr } = start();
    expect(status).toBe(2);
    expect(stderr).toMatch(/^dsa-slurm: Node\.js was not found\. .*archive.*\n$/);
  });

  it.each([
    ['echo v8.10.0', /Node\.js 8\.10\.0 is too old\./],
    ['echo v10.24.0', /Node\.js 10\.24\.0 is too old\./],
    ['echo v13.1.0', /Node\.js 13\.1\.0 is too old\./],
    ['echo usage: node [-a address]', /path\/node does not answer as Node\.js\./],
    ['exit 127', /path\/node does not answer as Node\.js\./],
  ])('refuses a node that answers with "%s"', (version, sentence) => {
    fakeNode(join(path, 'node'), version);
    const { status, stdout, stderr } = start();
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it.each(['v14.0.0', 'v22.22.2', 'v100.0.0'])('starts the program with Node.js %s', (version) => {
    fakeNode(join(path, 'node'), `echo ${version}`);
    expect(start()).toEqual({ status: 0, stdout: 'path/node 2 worker\n', stderr: '' });
  });

  it('prefers the bundled Node.js, also through links', () => {
    mkdirSync(join(installed, 'node_modules/node/bin'), { recursive: true });
    fakeNode(join(installed, 'node_modules/node/bin/node'), 'echo v24.15.0');
    fakeNode(join(path, 'node'), 'echo v24.15.0');
    symlinkSync('../package/bin/dsa-slurm', join(path, 'dsa-slurm'));
    symlinkSync(join(path, 'dsa-slurm'), join(directory, 'link'));
    const expected = { status: 0, stdout: 'package/node_modules/node/bin/node 2 worker\n', stderr: '' };
    expect(start()).toEqual(expected);
    expect(start(join(directory, 'link'))).toEqual(expected);
  });

  it('reports that a checkout must be built first', () => {
    rmSync(join(installed, 'dist'), { recursive: true });
    expect(start()).toMatchObject({ status: 2, stderr: expect.stringContaining('npm ci && npm run build') });
  });
});
