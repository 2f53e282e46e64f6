import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApptainer } from '../../../src/apptainer/inspect.js';
import { createRunner, type RunCommand } from '../../../src/base/command.js';
import { drawSlide } from '../../../src/sandbox/demo/slide.js';
import { analyze, readTiff } from '../../../src/sandbox/demo/tissue-fraction.js';
import {
  demoImage,
  installFakeApptainer,
  writeFakeImage,
  type FakeApptainer,
} from '../../../src/sandbox/images.js';

const run = createRunner({ env: process.env });
/** Simulates a machine where namespaces are not permitted. */
const noUnshare: RunCommand = (file, args, options) =>
  file === 'unshare'
    ? Promise.resolve({ kind: 'missing', reason: 'ENOENT', ms: 0 })
    : run(file, args, options);

let dir: string;
let sif: string;
let fakes: Record<FakeApptainer['isolation'], FakeApptainer>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-fake-apptainer-'));
  sif = join(dir, 'demo.sif');
  await writeFakeImage(sif, await demoImage());
  fakes = {
    namespace: await installFakeApptainer({ dir: join(dir, 'a'), run, isRoot: process.getuid?.() === 0 }),
    paths: await installFakeApptainer({ dir: join(dir, 'b'), run: noUnshare, isRoot: false }),
  };
  await mkdir(join(dir, 'in'));
  await mkdir(join(dir, 'out'));
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const slide = drawSlide({ seed: 7, width: 300, height: 200 });

test('answers image inspection as Apptainer does', async () => {
  const apptainer = createApptainer({ run, command: fakes.namespace.command });
  expect(await apptainer.version()).toMatchObject({ name: 'apptainer' });
  expect(await apptainer.inspect('demo:1', sif)).toMatchObject({
    workingDirectory: '/opt/demo',
    workingDirectoryFrom: 'oci',
    entrypoint: ['/bin/sh', './docker-entrypoint.sh'],
    needsGpu: false,
  });
});

describe.each(['namespace', 'paths'] as const)('exec with %s', (isolation) => {
  const exec = (args: string[]) => run(fakes[isolation].command, ['exec', ...args]);

  test('runs the demo analysis on bound files', async () => {
    expect(fakes[isolation].isolation).toBe(isolation);
    await writeFile(join(dir, 'in', 'Fläche 1.tiff'), slide.tiff);
    const result = await exec([
      '--pwd',
      '/opt/demo',
      '--mount',
      `type=bind,"source=${join(dir, 'in')}","destination=/mnt/girder worker/in",ro`,
      '--bind',
      `${join(dir, 'out')}:/mnt/out:rw`,
      '--nv',
      sif,
      '/bin/sh',
      './docker-entrypoint.sh',
      'TissueFraction',
      '/mnt/girder worker/in/Fläche 1.tiff',
      '/mnt/out/result.json',
      '/mnt/out/summary.csv',
      '/mnt/out/mask.pgm',
    ]);
    expect(result).toMatchObject({ kind: 'exited', exitCode: 0 });
    const written = JSON.parse(await readFile(join(dir, 'out', 'result.json'), 'utf8')) as object;
    expect(written).toEqual({ image: 'Fläche 1.tiff', ...analyze(readTiff(slide.tiff)).measurement });
    expect((await stat(join(dir, 'out', 'mask.pgm'))).size).toBe(300 * 200 + 15);
  });

  test('exit code and output of the program are passed on', async () => {
    await writeFile(join(dir, 'in', 'bad.tiff'), 'not a slide');
    const result = await exec([
      '--bind',
      `${join(dir, 'in')}:/mnt/in:ro`,
      sif,
      '/bin/sh',
      './docker-entrypoint.sh',
      'TissueFraction',
      '/mnt/in/bad.tiff',
      'a',
      'b',
      'c',
    ]);
    expect(result).toMatchObject({ kind: 'exited', exitCode: 3 });
    expect(result.kind === 'exited' && result.stderr).toMatch(/does not start like a TIFF/);
  });

  test('the environment is passed as by Apptainer', async () => {
    const result = await run(
      fakes[isolation].command,
      ['exec', '--cleanenv', '--env', 'B=two', sif, '/usr/bin/env'],
      { env: { APPTAINERENV_A: 'one', SECRET: 'outside' } },
    );
    const text = result.kind === 'exited' ? result.stdout : '';
    expect(text).toMatch(/^A=one$/m);
    expect(text).toMatch(/^B=two$/m);
    expect(text).not.toMatch(/SECRET/);
  });

  test('SIGTERM reaches the program', async () => {
    const stop = new AbortController();
    const mark = join(dir, 'out', isolation);
    const pending = run(
      fakes[isolation].command,
      [
        'exec',
        '--bind',
        `${dir}/out:/mnt/out`,
        sif,
        '/bin/sh',
        '-c',
        'touch "$0"; exec sleep 60',
        `/mnt/out/${isolation}`,
      ],
      { signal: stop.signal },
    );
    await expect.poll(() => stat(mark).catch(() => null), { timeout: 60_000 }).not.toBeNull();
    const aborted = performance.now();
    stop.abort();
    expect((await pending).kind).toBe('aborted');
    // Without SIGTERM, the runner would need two seconds, until its SIGKILL.
    expect(performance.now() - aborted).toBeLessThan(1_500);
  });
});

const inNamespace = (args: string[]) => run(fakes.namespace.command, ['exec', ...args]);

test('a read-only bind is read-only, nothing unbound is visible with --containall, and a missing source is an error', async () => {
  const write = await inNamespace([
    '--bind',
    `${join(dir, 'in')}:/mnt/in:ro`,
    sif,
    '/bin/sh',
    '-c',
    'echo x > /mnt/in/new',
  ]);
  expect(write.kind === 'exited' && write.exitCode).not.toBe(0);
  const system = await inNamespace([sif, '/bin/sh', '-c', 'echo x > /etc/sandbox-was-here']);
  expect(system.kind === 'exited' && system.exitCode).not.toBe(0);
  const hidden = await inNamespace(['--containall', sif, '/bin/ls', dir]);
  expect(hidden.kind === 'exited' && hidden.exitCode).not.toBe(0);
  const missing = await inNamespace(['--bind', '/no/such:/mnt', sif, '/bin/true']);
  expect(missing).toMatchObject({ kind: 'exited', exitCode: 255 });
  const odd = await inNamespace(['--mount', `type=bind,source=${dir},destination=/mnt,rw`, sif, '/bin/true']);
  expect(odd.kind === 'exited' && odd.stderr).toMatch(/invalid key "rw" in mount specification/);
});
