import { describe, expect, it } from 'vitest';
import type { WorkerStatus } from '../../../../src/worker/run-state/status-file.js';
import { judgeStatus, readServiceStatus, statusCodes } from '../../../../src/worker/runs/service-status.js';
import { runCli, temporaryHome } from '../../cli/support.js';

const now = 10_000_000;
const owner = { pid: 42, host: 'login1', since: '2026-11-30T00:00:00Z' };
const good: WorkerStatus = {
  at: now - 5_000,
  broker: { state: 'consuming', problem: null },
  jobsAt: now - 4_000,
  jobsProblem: null,
  inFlight: 3,
  problem: null,
  version: '0.2.0',
  standbys: [],
};
const judge = (over: Partial<WorkerStatus>, usesSlurm = true) =>
  judgeStatus({ status: { ...good, ...over }, owner }, { now, pollSeconds: 10, usesSlurm });

describe('the status is', () => {
  it.each([
    ['OK', {}, /^3 runs in flight; RabbitMQ: consuming; worker 42 on login1$/],
    ['CRITICAL', { at: now - 61_000 }, /reported nothing for 61 s/],
    [
      'CRITICAL',
      { broker: { state: 'disconnected', problem: 'refused' } },
      /^RabbitMQ disconnected: refused; 3 runs/,
    ],
    [
      'CRITICAL',
      { broker: { state: 'connecting', problem: 'refused' } },
      /^RabbitMQ cannot be reached: refused/,
    ],
    ['WARNING', { broker: { state: 'connecting', problem: null } }, /^RabbitMQ connecting; /],
    ['WARNING', { broker: { state: 'paused', problem: null } }, /^RabbitMQ paused; /],
    ['WARNING', { jobsProblem: 'timeout' }, /^Slurm does not answer: timeout/],
    ['WARNING', { jobsAt: now - 70_000 }, /^Slurm does not answer; /],
    ['CRITICAL', { jobsAt: now - 601_000, jobsProblem: 'timeout' }, /not answered for 601 s: timeout/],
    ['WARNING', { problem: 'the journal is full' }, /^the journal is full; /],
  ] satisfies [string, Partial<WorkerStatus>, RegExp][])('%s for %j', (level, over, text) => {
    expect(judge(over)).toMatchObject({ level, text: expect.stringMatching(text) as string });
  });

  it('OK without answers of a Slurm that is not used', () => {
    expect(judge({ jobsAt: null, jobsProblem: 'no squeue' }, false).level).toBe('OK');
  });

  it('CRITICAL without a worker, WARNING while one starts', () => {
    const options = { now, pollSeconds: 10, usesSlurm: true };
    expect(judgeStatus({ status: good, owner: null }, options).level).toBe('CRITICAL');
    expect(judgeStatus({ status: null, owner }, options).level).toBe('WARNING');
  });

  it('not known if the directory cannot be read', async () => {
    await expect(readServiceStatus('/dev/null/state')).rejects.toThrow('ENOTDIR');
  });
});

describe('dsa-slurm status', () => {
  it('prints one line and exits as a monitoring plugin does', async () => {
    const { env } = temporaryHome();
    expect(await runCli(['status'], { env })).toEqual({
      code: statusCodes.CRITICAL,
      stdout: 'CRITICAL: no worker is running\n',
      stderr: '',
    });
    const { code, stdout } = await runCli(['status', '--json'], { env });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      level: 'CRITICAL',
      text: 'no worker is running',
      worker: null,
      status: null,
    });
  });

  it('is UNKNOWN with a configuration that cannot be read', async () => {
    const { env } = temporaryHome();
    const { code, stdout } = await runCli(['--profile', 'nobody', 'status'], { env });
    expect(code).toBe(statusCodes.UNKNOWN);
    expect(stdout).toMatch(/^UNKNOWN: .*There is no profile nobody/);
  });
});
