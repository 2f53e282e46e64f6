import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createRunner } from '../../src/base/command.js';
import { dsaSlurm, runProgram, type Environment } from '../support/program.js';

let home: string;
let env: Environment;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dsa-cli-'));
  env = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CACHE_HOME: join(home, 'cache'),
  };
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const packageVersion = async (): Promise<string> => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

describe('the program', () => {
  test.each([['--help'], ['-h'], ['help']])('%s shows every command', async (...args) => {
    const { code, stdout, stderr } = await runProgram(args, env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of ['console', 'worker', 'config', 'sandbox'])
      expect(stdout).toContain(`  ${command} `);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test.each(['console', 'worker', 'config', 'sandbox'])('%s --help has examples', async (command) => {
    const { code, stdout, stderr } = await runProgram([command, '--help'], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: dsa-slurm ${command} [options]`);
    expect(stdout).toContain('Examples:');
  });

  test('--version', async () => {
    const version = await packageVersion();
    expect(await runProgram(['--version'], env)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each([
    { args: ['wroker'], says: "unknown command 'wroker'" },
    { args: ['worker', '--no-such-flag'], says: "unknown option '--no-such-flag'" },
    { args: ['config'], says: 'Name a command.' },
    { args: ['--profile', 'nobody', 'config', 'show'], says: 'There is no profile nobody.' },
  ])('$args is a usage error: exit code 2, nothing on standard output', async ({ args, says }) => {
    const { code, stdout, stderr } = await runProgram(args, env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(says);
  });
});

describe('config', () => {
  test('values that were set can be read, and the profile is private', async () => {
    const path = (await runProgram(['config', 'path'], env)).stdout.trim();
    expect(path.startsWith(join(home, 'config'))).toBe(true);
    const url = 'amqp://girder:hush-hush@rabbitmq.example:5673/dsa';
    const set = await runProgram(['config', 'set', 'broker.url', '-'], env, `${url}\n`);
    expect(set.code).toBe(0);
    expect((await runProgram(['config', 'set', 'slurm.partition', 'batch'], env)).code).toBe(0);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toContain('hush-hush');

    expect(await runProgram(['config', 'get', 'slurm.partition'], env)).toEqual({
      code: 0,
      stdout: 'batch\n',
      stderr: '',
    });
    const shown = await runProgram(['config', 'show'], env);
    expect(shown.stdout).toContain('amqp://girder:***@rabbitmq.example:5673/dsa');
    const json = await runProgram(['config', 'show', '--json'], env);
    expect(JSON.parse(json.stdout)).toMatchObject({
      path,
      settings: expect.arrayContaining([
        { key: 'slurm.partition', value: 'batch', source: 'profile', name: path },
      ]),
    });
    for (const { stdout, stderr } of [set, shown, json]) expect(stdout + stderr).not.toContain('hush-hush');

    expect((await runProgram(['config', 'set', 'slurm.partition', '--default'], env)).code).toBe(0);
    expect((await runProgram(['config', 'get', 'slurm.partition'], env)).stdout).toBe('\n');
  });

  test('errors are JSON with --json, and the profile is not changed', async () => {
    const { stdout: path } = await runProgram(['config', 'path'], env);
    const before = await readFile(path.trim(), 'utf8');
    const wrong = await runProgram(['config', 'set', 'slurm.cpus', 'many'], env);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('slurm.cpus');
    expect(await readFile(path.trim(), 'utf8')).toBe(before);

    const misspelled = await runProgram(['config', 'get', 'slurm.partiton', '--json'], env);
    expect(misspelled).toMatchObject({ code: 2, stderr: '' });
    expect(JSON.parse(misspelled.stdout)).toEqual({
      error: {
        code: 'usage',
        message: expect.stringContaining('slurm.partiton'),
        next: expect.stringContaining('slurm.partition'),
      },
    });
  });

  test('a closed pipe is not an error', async () => {
    const command = createRunner({ env });
    const script = 'set -o pipefail; "$0" config show | head -1';
    const answer = await command('bash', ['-c', script, dsaSlurm]);
    expect(answer).toMatchObject({ kind: 'exited', exitCode: 0, stderr: '' });
  });
});
