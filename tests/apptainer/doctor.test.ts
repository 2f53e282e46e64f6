import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApptainer } from '../../src/apptainer/inspect.js';
import { start } from '../../src/doctor/checks/apptainer/start.js';
import { contents } from '../../src/doctor/checks/images/contents.js';
import { files } from '../../src/doctor/checks/images/files.js';
import { ask, factOf, settingsWith } from '../support/doctor.js';
import { openBench, type Bench } from './support/bench.js';

// What doctor says in each situation, over real images and the real Apptainer.

const entry = '#!/bin/sh\necho started\n';
const label = { Labels: { entry_path: '/opt/app' } };

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
  await bench.sif('good', { config: label, files: { '/opt/app/docker-entrypoint.sh': entry } });
});
afterAll(async () => bench.close());

type Situation = NonNullable<Parameters<typeof openBench>[0]>;

/** Asks a check in a situation, over the images of these names. */
async function askIn(
  check: typeof start,
  names: readonly string[],
  situation: Situation,
  options: string[] = [],
) {
  const other = await openBench(situation);
  try {
    const settings = settingsWith({
      'dirs.images': join(bench.dir, 'images'),
      'apptainer.command': other.apptainer,
      'apptainer.options': options,
    });
    const facts = { 'images.files': names.map((name) => `${name}.sif`), 'apptainer.version': undefined };
    return await ask(check, { settings, run: other.run, deep: true }, facts);
  } finally {
    await other.close();
  }
}

describe('apptainer.start', () => {
  it('passes if a container starts', async () => {
    expect(await askIn(start, ['good'], {})).toMatchObject({
      status: 'ok',
      evidence: ['a container of good.sif started'],
    });
  });

  it.each<[string, Situation, 'fail' | 'warn', string, string]>([
    ['/dev/fuse closed', { fuse: 'closed' }, 'fail', 'may not open /dev/fuse', 'chmod 666 /dev/fuse'],
    [
      'user namespaces closed',
      { userNamespaces: 'closed' },
      'fail',
      'may not create user namespaces',
      'sysctl -w user.max_user_namespaces=15000',
    ],
    ['root without all capabilities', { user: 'root' }, 'fail', 'this root user lacks some', '["--userns"]'],
    ['no squashfuse', { squashfuse: false }, 'warn', 'the whole image was unpacked', 'install squashfuse'],
  ])('%s', async (_name, situation, status, evidence, fix) => {
    const result = await askIn(start, ['good'], situation);
    expect(result.evidence.join('\n')).toContain(evidence);
    expect(result.status).toBe(status);
    expect(result.fix).toContain(fix);
  });

  it('the fix for root without all capabilities works', async () => {
    expect(await askIn(start, ['good'], { user: 'root' }, ['--userns'])).toMatchObject({ status: 'ok' });
  });
});

describe('the probe of a compute node', () => {
  it.each<[string, Situation, RegExp]>([
    ['nothing in the way', {}, /^dsa-slurm-probe container=started$/m],
    [
      'no squashfuse',
      { squashfuse: false },
      /^dsa-slurm-probe unpacked=yes\ndsa-slurm-probe container=started$/m,
    ],
    ['/dev/fuse closed', { fuse: 'closed' }, /^dsa-slurm-probe container=.*\/dev\/fuse: Permission denied/m],
    [
      'root without all capabilities',
      { user: 'root' },
      /^dsa-slurm-probe container=.*Requesting capability set/m,
    ],
    [
      'user namespaces closed',
      { userNamespaces: 'closed' },
      /^dsa-slurm-probe container=.*create user namespace/m,
    ],
  ])('tells how a container of an image starts there: %s', async (_name, situation, expected) => {
    const other = await openBench(situation);
    try {
      const script = fileURLToPath(new URL('../../templates/probe.slurm', import.meta.url));
      const sif = join(bench.dir, 'images', 'good.sif');
      const result = await other.run('/bin/bash', [
        script,
        'abc',
        other.apptainer,
        '',
        '2',
        '--containall',
        sif,
        bench.dir,
      ]);
      const message = result.kind === 'exited' ? result.stdout : '';
      expect(message).toMatch(expected);
      expect(message).toMatch(/^dsa-slurm-probe 0\.inode=\d+$/m);
      expect(message).toMatch(/^dsa-slurm-probe end=abc$/m);
    } finally {
      await other.close();
    }
  });
});

describe('images.contents', () => {
  it.each<[string, Situation]>([
    ['/dev/fuse closed', { fuse: 'closed' }],
    ['user namespaces closed', { userNamespaces: 'closed' }],
    ['root without all capabilities', { user: 'root' }],
  ])('blames no image if no container can start: %s', async (_name, situation) => {
    const { status, evidence } = await askIn(contents, ['good'], situation);
    expect(status).toBe('ok');
    expect(evidence.join('\n')).toContain('good.sif: not checked, because no container starts on this host');
    expect(evidence.join('\n')).not.toMatch(/exists/);
  });

  it('finds entry point and working directory of a good image', async () => {
    const { status, evidence } = await askIn(contents, ['good'], {});
    expect(status).toBe('ok');
    expect(evidence.join('\n')).toContain(
      'good.sif: starts, its entry point /opt/app/docker-entrypoint.sh exists',
    );
  });

  it('reports a missing entry point', async () => {
    await bench.sif('liar', { config: { Entrypoint: ['/opt/app/run'] } });
    const { status, evidence, fix } = await askIn(contents, ['liar'], {});
    expect(status).toBe('fail');
    expect(evidence.join('\n')).toContain('liar.sif: the entry point /opt/app/run is missing');
    expect(fix).toContain('pull or build the image again');
  });

  it('checks the entry point that the worker uses if the label names none', async () => {
    await bench.sif('labeled', {
      config: { Labels: { entry_path: '/opt/slicer' }, Entrypoint: ['/opt/app/run'], WorkingDir: '/opt/app' },
      files: { '/opt/app/run': '#!/bin/sh\n', '/opt/slicer/x': '' },
    });
    const { status, evidence } = await askIn(contents, ['labeled'], {});
    expect(evidence.join('\n')).toContain('labeled.sif: starts, its entry point /opt/app/run exists');
    expect(status).toBe('ok');
  });

  it('distinguishes a host mount over the image from missing files', async () => {
    const { status, evidence, fix } = await askIn(contents, ['good'], {}, ['--bind', '/srv:/opt/app']);
    expect(status).toBe('fail');
    expect(evidence.join('\n')).toContain('is hidden by a bind mount of the host');
    expect(fix).toContain('Remove that bind from apptainer.options');
  });

  it('accepts a working directory that is created for each run', async () => {
    await bench.sif('nodir', { config: { Entrypoint: ['/bin/sh'], WorkingDir: '/made/by/docker' } });
    const { status, evidence } = await askIn(contents, ['nodir'], {});
    expect(status).toBe('ok');
    expect(evidence.join('\n')).toContain('its working directory /made/by/docker is created for each run');
  });

  it('does not check the contents of an image without a shell', async () => {
    await bench.sif('silent', { busybox: false, config: { Entrypoint: ['/opt/app/run'], Env: ['PATH=/x'] } });
    const { status, evidence } = await askIn(contents, ['silent'], {});
    expect(status).toBe('ok');
    expect(evidence.join('\n')).toContain(
      'silent.sif: starts; its entry point was not checked because it has no shell',
    );
  });
});

describe('a truncated SIF', () => {
  it('is found by its header, and refused by the worker before a job is submitted', async () => {
    const whole = await readFile(join(bench.dir, 'images', 'good.sif'));
    const cut = join(bench.dir, 'images', 'cut.sif');
    await writeFile(cut, whole.subarray(0, 500_000));
    const settings = settingsWith({ 'dirs.images': join(bench.dir, 'images') });
    // not a pull that is under way
    await utimes(cut, 1, 1);
    const context = { settings };
    const { status, evidence } = await ask(files, context);
    expect(status).toBe('warn');
    const expected = `truncated: 500000 of ${whole.length} bytes`;
    expect(evidence.join('\n')).toContain(`cut.sif is ${expected}`);
    expect(await factOf(files, context)).not.toContain('cut.sif');

    const apptainer = createApptainer({ run: bench.run, command: bench.apptainer });
    await expect(apptainer.inspect('example/cut:v1', cut)).rejects.toThrow(expected);
  });
});
