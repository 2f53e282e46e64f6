import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRunner } from '../../../src/base/command.js';
import { demoImage } from '../../../src/sandbox/images.js';
import { fillRoot, prepareRuntime } from '../../../src/sandbox/runtime.js';

const run = createRunner({ env: process.env });
const isRoot = process.getuid?.() === 0;
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-runtime-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

test('the file system for a real image holds all that the demo analysis needs', async () => {
  await fillRoot(join(dir, 'rootfs'), await demoImage(), run);
  const result = await run('unshare', [
    ...(isRoot ? [] : ['--user', '--map-root-user']),
    `--root=${join(dir, 'rootfs')}`,
    '--wd=/opt/demo',
    './docker-entrypoint.sh',
    'TissueFraction',
  ]);
  expect(result).toMatchObject({ kind: 'exited', exitCode: 3 });
});

test.each([
  ['that builds and runs the image', 'case "$1" in exec) exit 3;; esac', ''],
  ['that cannot build', 'case "$1" in build) exit 1;; esac', 'could not build the demo image'],
  ['that cannot run it', 'case "$1" in exec) exit 255;; esac', 'could not run the demo image'],
])('an Apptainer %s', async (_name, script, problem) => {
  const bin = join(dir, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'apptainer'), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, 'apptainer'), 0o755);
  const runtime = await prepareRuntime({ dir, run, path: `${bin}:/usr/bin`, isRoot });
  if (problem === '') {
    expect(runtime).toMatchObject({ command: join(bin, 'apptainer'), notices: [] });
  } else {
    expect(runtime.command).toBe(join(dir, 'apptainer', 'bin', 'apptainer'));
    expect(runtime.notices.join()).toContain(problem);
  }
});
