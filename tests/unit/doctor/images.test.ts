import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import type { CommandResult, RunCommand } from '../../../src/base/command.js';
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

/** A runtime whose `exec` ends as it is told to. */
function runtime(execEnds: CommandResult, onCommand: () => void = () => undefined) {
  const execs: string[][] = [];
  const labels = { entry_path: '/opt/x' };
  const run: RunCommand = async (_file, [verb = '', ...args]) => {
    onCommand();
    if (verb === 'inspect') return exited(JSON.stringify({ data: { attributes: { labels } } }));
    if (verb === 'exec') {
      execs.push(args);
      return execEnds;
    }
    return exited('', { exitCode: 255 });
  };
  return { run, execs };
}

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

  it('takes from the settings what the image does not say', () => {
    expect(entryFileOf(none, { entrypoint: './a.sh', workingDirectory: '/w' })).toEqual({
      file: '/w/a.sh',
      use: 'execute',
    });
  });
});

describe('images.contents', () => {
  const noTest =
    'FATAL:   "test": executable file not found in $PATH\nFATAL: while running, so it did not run';
  it.each([
    ['there', exited(''), 'ok', 'x.sif: entry point /opt/x/docker-entrypoint.sh is there', null],
    [
      'not there',
      exited('', { exitCode: 1 }),
      'fail',
      'x.sif: the entry point /opt/x/docker-entrypoint.sh is not there, or cannot be executed.',
      'ls -l /opt/x   # pull or build the image again',
    ],
    [
      'no test in the image',
      exited('', { exitCode: 255, stderr: noTest }),
      'ok',
      'not looked at: apptainer exec exited with 255: FATAL:   "test": executable file not found in $PATH FATAL',
      null,
    ],
    [
      'a runtime that fails with 1',
      exited('', { exitCode: 1, stderr: 'FATAL: no user namespaces' }),
      'ok',
      'not looked at: apptainer exec exited with 1: FATAL: no user namespaces',
      null,
    ],
    ['silent', timedOut, 'ok', 'not looked at: apptainer exec gave no answer', null],
  ])('entry point: %s', async (_name, ends, status, evidence, fix) => {
    const { settings, facts } = await imagesOf(['x.sif'], { 'apptainer.options': ['--cleanenv'] });
    const { run, execs } = runtime(ends);
    const result = await ask(contents, { settings, run, deep: true }, facts);
    expect(result.evidence.join('\n')).toContain(evidence);
    expect(result.status).toBe(status);
    if (fix === null) expect(result.fix).toBeNull();
    else expect(result.fix).toContain(fix);
    expect(execs).toEqual([
      ['--pwd', '/', '--cleanenv', join(dir, 'x.sif'), 'test', '-x', '/opt/x/docker-entrypoint.sh'],
    ]);
  });

  it('starts no container without --deep', async () => {
    const { settings, facts } = await imagesOf(['x.sif']);
    const { run, execs } = runtime(exited('', { exitCode: 1 }));
    expect(await ask(contents, { settings, run }, facts)).toMatchObject({ status: 'ok' });
    expect(execs).toEqual([]);
  });

  it('stops in time on a slow file system, and not with --deep', async () => {
    const names = Array.from({ length: 14 }, (_, index) => `i${index}.sif`);
    const { settings, facts } = await imagesOf(names);
    let slow = 0;
    const { run } = runtime(exited(''), () => {
      slow += 1_000;
    });
    const clock = { ...systemClock, now: () => slow };
    const result = await ask(contents, { settings, run, clock }, facts);
    expect(result.status).toBe('ok');
    const skipped = result.evidence.filter((line) => line.includes('not looked at, it took too long'));
    expect(skipped.length).toBeGreaterThan(6);
    expect(skipped.length).toBeLessThan(12);
    expect(result.evidence).toContain('2 further images only with --deep');

    const deep = await ask(contents, { settings, run, clock, deep: true }, facts);
    expect(deep.evidence.filter((line) => line.includes('is there'))).toHaveLength(14);
  });

  it('warns of an image that cannot be inspected, and goes on', async () => {
    const { settings, facts } = await imagesOf(['bad.sif', 'good.sif']);
    const { run } = runtime(exited(''));
    const broken: RunCommand = async (file, args, options) =>
      args.includes(join(dir, 'bad.sif')) ? timedOut : run(file, args, options);
    const result = await ask(contents, { settings, run: broken }, facts);
    expect(result).toMatchObject({ status: 'warn', fix: `apptainer inspect ${join(dir, 'bad.sif')}` });
    expect(result.evidence.join('\n')).toContain('good.sif: working directory /opt/x');
  });
});
