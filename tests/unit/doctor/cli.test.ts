import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';
import { allChecks } from '../../../src/doctor/checks/index.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

const text = (stream: PassThrough) => String(stream.read() ?? '');

/** Runs `dsa-slurm doctor …` in this process, without a terminal, on an empty machine. */
async function doctor(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return doctorWith({}, ...args);
}

async function doctorWith(
  more: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const env = { DSA_SLURM_CONFIG_DIR: dir, HOME: dir, PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ...more };
  const code = await runProgram(['doctor', ...args], { env, ...streams, version: '0', exitCode: 0 });
  return { code, stdout: text(streams.stdout), stderr: text(streams.stderr) };
}

describe('dsa-slurm doctor', () => {
  it('lists its checks', async () => {
    const { code, stdout } = await doctor('--list');
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(allChecks.length);
    const { stdout: json } = await doctor('--list', '--json', '--only', 'celery', '--skip', 'celery.names');
    const ids = (JSON.parse(json) as { checks: { id: string }[] }).checks.map(({ id }) => id);
    expect(ids).toEqual(['celery.ping', 'celery.other-consumers', 'celery.round-trip']);
  });

  it('exits with 0 if nothing failed, in plain text', async () => {
    const { code, stdout } = await doctor('--only', 'host.node,host.locale', '-v');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^All 2 checks passed\.\n\nHost\n {2}✓ ok {4}Node \(host\.node, \d+ ms\)/);
    expect(stdout).toContain('2 passed, 0 warnings, 0 failed, 0 not run');
    expect(stdout).toMatch(/\n\nNext: dsa-slurm doctor {3}# all checks\n$/);
    expect(stdout).not.toContain('\u001B');
  });

  it('names init if there is no profile, and the width is respected', async () => {
    const { stdout } = await doctor('--only', 'directories.logs');
    expect(stdout).toMatch(/^No profile yet: dsa-slurm init /);
    expect(stdout).toMatch(/\nNext: dsa-slurm init\n$/);
    const narrow = await doctorWith({ COLUMNS: '60' });
    expect(narrow.stdout.split('\n').filter((line) => line.length > 60)).toEqual([]);
    await writeFile(join(dir, 'default.json'), '{}', { mode: 0o600 });
    const known = await doctor('--only', 'directories.logs');
    expect(known.stdout).toMatch(/^1 thing keeps this site from working\.\n/);
    expect(known.stdout).toMatch(/\nNext: dsa-slurm doctor {3}# once 1 is fixed\n$/);
  });

  it('exits with 1 on a failure, or on a warning with --strict', async () => {
    expect((await doctor('--only', 'directories.logs')).code).toBe(1);
    expect((await doctor('--only', 'worker.running')).code).toBe(0);
    expect((await doctor('--only', 'worker.running', '--strict')).code).toBe(1);
  });

  it('exits with 2 if it could not run', async () => {
    for (const args of [
      ['--only', 'nothing'],
      ['--set', 'slurm.pollSeconds=often'],
      ['--watch'],
      ['--fix'],
      ['--watch', 'x'],
      ['--profile', 'other'],
    ]) {
      expect((await doctor(...args)).code).toBe(2);
    }
    const { code, stderr } = await doctor('--set', 'mongo.uri=mongodb://u:p@h/');
    expect(code).toBe(2);
    expect(stderr).not.toContain('u:p');
  });

  it('prints the documented JSON', async () => {
    const { stdout } = await doctor('--json', '--only', 'directories.logs');
    expect(JSON.parse(stdout)).toEqual({
      checks: [
        {
          id: 'directories.logs',
          group: 'directories',
          title: 'directory for job logs',
          status: 'fail',
          evidence: ['dirs.logs (LOGS) is not set.'],
          fix: 'dsa-slurm config set dirs.logs /shared/logs',
          ms: expect.any(Number),
          docs: 'docs/doctor.md#directories-logs',
        },
      ],
      summary: { ok: 0, warn: 0, fail: 1, skip: 0, ms: expect.any(Number) },
    });
  });

  it('applies the chosen fixes, showing each before and reporting it after', async () => {
    const profile = join(dir, 'default.json');
    await writeFile(profile, JSON.stringify({ dirs: { logs: join(dir, 'logs') } }), { mode: 0o644 });
    const { stdout } = await doctor(
      '--fix',
      '--yes',
      '--only',
      'configuration.modes',
      '--only',
      'directories.logs',
    );
    expect(stdout).toContain(`  chmod 600 ${profile}\n`);
    expect(stdout).toContain(`done: chmod 600 ${profile}\n`);
    expect(stdout).toContain(`done: mkdir -p -m 0770 ${join(dir, 'logs')}\n`);
    expect((await stat(profile)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'logs'))).isDirectory()).toBe(true);
    const again = await doctor('--fix', '--yes', '--json', '--only', 'configuration.modes');
    expect(JSON.parse(again.stdout)).toMatchObject({ repairs: { done: 0, declined: 0, failed: 0 } });
  });

  it('reports a broken profile, and runs the other checks', async () => {
    await writeFile(join(dir, 'default.json'), '{"slurm":{"foo":1}}', { mode: 0o600 });
    const { code, stdout } = await doctor('--only', 'configuration.valid', '--only', 'host.node');
    expect(code).toBe(1);
    expect(stdout).toContain('"slurm.foo" is not a setting.');
    expect(stdout).toMatch(/^1 thing keeps this site from working\.\n\n 1 ✗ Configuration: settings /);
    expect(stdout).toContain('✓ Host           1 passed\n');
  });
});
