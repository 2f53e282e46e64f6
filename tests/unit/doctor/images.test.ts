import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import type { CommandResult, RunCommand } from '../../../src/base/command.js';
import { start } from '../../../src/doctor/checks/apptainer/start.js';
import { contents } from '../../../src/doctor/checks/images/contents.js';
import { entryFileOf } from '../../../src/doctor/entry-file.js';
import { ask, exited, settingsWith, timedOut } from '../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-images-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

/** Images of these names; the label is that of images for the Python plugin. */
async function imagesOf(names: readonly string[], flags: Record<string, unknown> = {}) {
  await Promise.all(names.map((name) => writeFile(join(dir, name), name)));
  return {
    settings: settingsWith({ 'dirs.images': dir, ...flags }),
    facts: { 'images.files': names, 'apptainer.version': undefined },
  };
}

/** What a container finds, by the words that the script prints behind its nonce; or how `exec` ends instead. */
type ExecEnds = readonly string[] | CommandResult;

/**
 * A runtime whose `exec` ends as given.
 * @param ends of the container of a job, and of the one without mounts of the host
 */
function runtime(ends: ExecEnds, unhidden: ExecEnds = ends, onCommand: () => void = () => undefined) {
  const execs: string[][] = [];
  const labels = { entry_path: '/opt/x' };
  const run: RunCommand = async (_file, [verb = '', ...args]) => {
    onCommand();
    if (verb === 'inspect') return exited(JSON.stringify({ data: { attributes: { labels } } }));
    if (verb !== 'exec') return exited('', { exitCode: 255 });
    const nonce = args.find((arg) => arg.startsWith('dsa-slurm-'));
    // the worker's own look, whose answer is not what is tested here
    if (nonce === undefined) return exited('', { exitCode: 255 });
    execs.push(args);
    const end = args.includes('home,tmp,cwd,bind-paths') ? unhidden : ends;
    if ('kind' in end) return end;
    return exited(end.map((word) => `${nonce} ${word}\n`).join(''));
  };
  return { run, execs };
}

const failed = (stderr: string, exitCode = 255) => exited('', { exitCode, stderr });

describe('entryFileOf', () => {
  const none = { entrypoint: null, workingDirectory: null };
  it.each([
    [['./docker-entrypoint.sh'], '/opt/x', { file: '/opt/x/docker-entrypoint.sh', use: 'execute' }],
    [['/bin/bash', 'docker-entrypoint.sh'], '/opt/x', { file: '/opt/x/docker-entrypoint.sh', use: 'read' }],
    [['python3.11', '/app/cli.py', 'x'], '/opt/x', { file: '/app/cli.py', use: 'read' }],
    [['/bin/sh', '-c', 'x'], '/opt/x', { file: '/bin/sh', use: 'execute' }],
    [['python', '-m', 'x'], '/opt/x', null],
    [['tool'], '/opt/x', null],
    [['./tool'], null, null],
    [[], '/opt/x', null],
    [null, '/opt/x', null],
  ])('%j in %s', (entrypoint, workingDirectory, expected) =>
    expect(entryFileOf({ entrypoint, workingDirectory }, none)).toEqual(expected),
  );

  it('uses the settings for missing metadata', () => {
    expect(entryFileOf(none, { entrypoint: './a.sh', workingDirectory: '/w' })).toEqual({
      file: '/w/a.sh',
      use: 'execute',
    });
  });
});

describe('images.contents', () => {
  const there = ['started', 'directory', 'entry'];
  it.each<[string, ExecEnds, ExecEnds, string, string, string | null]>([
    ['there', there, there, 'ok', 'x.sif: starts, its entry point /opt/x/docker-entrypoint.sh exists', null],
    [
      'entry point not there',
      ['started', 'directory'],
      ['started', 'directory'],
      'fail',
      'x.sif: the entry point /opt/x/docker-entrypoint.sh is missing or cannot be executed.',
      'ls -l /opt/x   # pull or build the image again',
    ],
    [
      'hidden by a mount',
      ['started'],
      there,
      'fail',
      'entry point /opt/x/docker-entrypoint.sh is hidden by a bind mount of the host',
      'Remove that bind from apptainer.options',
    ],
    [
      'working directory not there',
      ['started', 'entry'],
      ['started', 'entry'],
      'ok',
      'its working directory /opt/x is created for each run',
      null,
    ],
    [
      'no shell in the image',
      failed('WARNING: x\nFATAL:   "sh": executable file not found in $PATH\n'),
      there,
      'ok',
      'x.sif: starts; its entry point was not checked because it has no shell',
      null,
    ],
    [
      'an image that does not start',
      failed('INFO:    gocryptfs not found\nFATAL:   container creation failed: squashfs broken\n'),
      there,
      'fail',
      'x.sif: its container does not start: exit code 255, FATAL:   container creation failed: squashfs broken',
      'true   # as the worker',
    ],
    // exit code 1 without FATAL is not an answer of the program in the container
    [
      'no container starts here',
      failed('\u001B[91mERROR  : Requesting capability set 0x1ff while permitted is 0x1fe\n', 1),
      there,
      'ok',
      'x.sif: not checked, because no container starts on this host (see apptainer.start)',
      null,
    ],
    [
      'words without the nonce',
      exited('started\ndirectory\nentry\n'),
      there,
      'fail',
      'its container does not start',
      'true',
    ],
    ['silent', timedOut, there, 'fail', 'x.sif: its container does not start: did not answer', 'true'],
  ])('%s', async (_name, ends, unhidden, status, evidence, fix) => {
    const { settings, facts } = await imagesOf(['x.sif'], { 'apptainer.options': ['--nohttps'] });
    const { run, execs } = runtime(ends, unhidden);
    const result = await ask(contents, { settings, run, deep: true }, facts);
    expect(result.evidence.join('\n')).toContain(evidence);
    expect(result.status).toBe(status);
    if (fix === null) expect(result.fix).toBeNull();
    else expect(result.fix).toContain(fix);
    // as a job starts it: with the operator's options
    expect(execs[0]).toContain('--nohttps');
    expect(execs[0]?.slice(-2)).toEqual(['x', '/opt/x/docker-entrypoint.sh']);
  });

  it('starts no container without --deep', async () => {
    const { settings, facts } = await imagesOf(['x.sif']);
    const { run, execs } = runtime(['started']);
    expect(await ask(contents, { settings, run }, facts)).toMatchObject({ status: 'ok' });
    expect(execs).toEqual([]);
  });

  it('stops early on a slow file system, but not with --deep', async () => {
    const names = Array.from({ length: 14 }, (_, index) => `i${index}.sif`);
    const { settings, facts } = await imagesOf(names);
    let slow = 0;
    const { run } = runtime(there, there, () => {
      slow += 1_000;
    });
    const clock = { ...systemClock, monotonic: () => slow };
    const result = await ask(contents, { settings, run, clock }, facts);
    expect(result.status).toBe('ok');
    const skipped = result.evidence.filter((line) => line.includes('not checked, for lack of time'));
    expect(skipped.length).toBeGreaterThan(6);
    expect(skipped.length).toBeLessThan(12);
    expect(result.evidence).toContain('2 more images checked only with --deep');

    const deep = await ask(contents, { settings, run, clock, deep: true }, facts);
    expect(deep.evidence.filter((line) => line.includes('exists'))).toHaveLength(14);
  });

  it('warns about an image that cannot be inspected, and continues', async () => {
    const { settings, facts } = await imagesOf(['bad.sif', 'good.sif']);
    const { run } = runtime(there);
    const broken: RunCommand = async (file, args, options) =>
      args.includes(join(dir, 'bad.sif')) ? timedOut : run(file, args, options);
    const result = await ask(contents, { settings, run: broken }, facts);
    expect(result).toMatchObject({ status: 'warn', fix: `apptainer inspect ${join(dir, 'bad.sif')}` });
    expect(result.evidence.join('\n')).toContain('good.sif: working directory /opt/x');
  });
});

describe('apptainer.start', () => {
  const fuse = 'squashfuse_ll exited: fuse: failed to open /dev/fuse: Permission denied';
  it.each<[string, ExecEnds, string, string, string | null]>([
    ['it does', ['started', 'directory', 'entry'], 'ok', 'a container of a.sif started', null],
    [
      '/dev/fuse closed',
      failed(`FATAL:   container creation failed: ${fuse}\n`),
      'fail',
      'may not open /dev/fuse',
      'chmod 666 /dev/fuse',
    ],
    [
      'user namespaces closed',
      failed('ERROR  : Failed to create user namespace: maximum number of user namespaces exceeded\n', 1),
      'fail',
      'may not create user namespaces',
      'sysctl -w user.max_user_namespaces',
    ],
    [
      'root without all capabilities',
      failed('ERROR  : Requesting capability set 0x1 while permitted capability set is 0x0\n', 1),
      'fail',
      'this root user lacks some',
      `config set apptainer.options '["--userns"]'`,
    ],
    ['anything else', failed('FATAL:   no way\n'), 'fail', 'exit code 255, FATAL:   no way', 'true'],
  ])('%s', async (_name, ends, status, evidence, fix) => {
    const { settings, facts } = await imagesOf(['a.sif']);
    const result = await ask(start, { settings, run: runtime(ends).run, deep: true }, facts);
    expect(result.evidence.join('\n')).toContain(evidence);
    expect(result.status).toBe(status);
    if (fix === null) expect(result.fix).toBeNull();
    else expect(result.fix).toContain(fix);
  });

  it('tries the next image if one is broken', async () => {
    const { settings, facts } = await imagesOf(['bad.sif', 'good.sif']);
    const good = runtime(['started', 'directory', 'entry']);
    const run: RunCommand = async (file, args, options) =>
      args[0] === 'exec' && args.includes(join(dir, 'bad.sif'))
        ? failed('FATAL:   squashfs broken')
        : good.run(file, args, options);
    const result = await ask(start, { settings, run, deep: true }, facts);
    expect(result).toMatchObject({ status: 'ok', evidence: ['a container of good.sif started'] });
  });

  it('is skipped without images', async () => {
    const { settings, facts } = await imagesOf([]);
    expect((await ask(start, { settings, run: runtime([]).run, deep: true }, facts)).status).toBe('skip');
  });
});
