import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { data, judgeStatusFile } from '../../../src/doctor/checks/worker/data.js';
import { running } from '../../../src/doctor/checks/worker/running.js';
import { statusFileName, type WorkerStatus } from '../../../src/worker/run-state/status-file.js';
import { ask, factOf, settingsWith } from '../../support/doctor.js';

const now = 1_800_000_000_000;
const well: WorkerStatus = {
  at: now - 5_000,
  broker: { state: 'consuming', problem: null },
  jobsAt: now - 8_000,
  jobsProblem: null,
  inFlight: 2,
  problem: null,
  version: '0.2.0',
  standbys: [],
};

describe('judgeStatus', () => {
  it.each<[string, Partial<WorkerStatus>, string, string, string | null]>([
    ['well', {}, 'ok', 'jobs last read from Slurm 3 s before', null],
    ['runs', {}, 'ok', 'RabbitMQ: consuming; 2 unfinished runs', null],
    [
      'standby',
      { standbys: [{ host: 'login2', pid: 9, since: '' }] },
      'ok',
      'standby worker: process 9 on login2',
      null,
    ],
    ['paused', { broker: { state: 'paused', problem: null } }, 'ok', 'RabbitMQ: paused', null],
    ['starting', { broker: { state: 'connecting', problem: null }, jobsAt: null }, 'ok', 'not read', null],
    [
      'silent',
      { at: now - 40_000, jobsAt: now - 41_000 },
      'warn',
      'has not updated its status for 40 s',
      'Check its log, then restart it',
    ],
    [
      'no RabbitMQ',
      { broker: { state: 'disconnected', problem: 'Nothing listens.' } },
      'warn',
      'receives no tasks; RabbitMQ: disconnected: Nothing listens.',
      'dsa-slurm --profile lab doctor --only rabbitmq -v',
    ],
    [
      'connecting for long',
      { broker: { state: 'connecting', problem: 'No answer.' } },
      'warn',
      'connecting: No answer.',
      '--only rabbitmq',
    ],
    [
      'Slurm fails',
      { jobsProblem: 'squeue exited with 1' },
      'warn',
      'squeue exited with 1; jobs last read from Slurm 3 s before',
      'dsa-slurm --profile lab doctor --only slurm -v',
    ],
    [
      'never knew Slurm',
      { jobsAt: null, jobsProblem: 'x' },
      'warn',
      'x; jobs not read from Slurm yet',
      'slurm',
    ],
    [
      'old',
      { jobsAt: now - 200_000 },
      'warn',
      'no answer; jobs last read from Slurm 195 s before',
      '--only slurm',
    ],
    [
      'tasks that nobody takes',
      { broker: { state: 'consuming', problem: '20 tasks that are not ours wait.' } },
      'warn',
      'RabbitMQ: 20 tasks that are not ours wait.',
      '--only rabbitmq',
    ],
    ['problem', { problem: 'Girder says 500.' }, 'warn', 'last error: Girder says 500.', '--only girder'],
  ])('%s', (_name, changes, status, evidence, fix) => {
    const finding = judgeStatusFile(
      { ...well, ...changes },
      { now, pollMs: 5_000, profile: 'lab', executor: 'slurm' },
    );
    expect(finding.evidence.join('\n')).toContain(evidence);
    expect(finding.status).toBe(status);
    if (fix === null) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  it('allows for a long poll interval', () => {
    const old = { ...well, jobsAt: now - 200_000 };
    expect(judgeStatusFile(old, { now, pollMs: 100_000, profile: 'lab', executor: 'slurm' }).status).toBe(
      'ok',
    );
  });
});

describe('worker.data', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'doctor-data-'));
  });
  afterEach(async () => rm(dir, { recursive: true, force: true }));

  const askAbout = async (isAlive: boolean) =>
    ask(data, { settings: settingsWith({ 'dirs.state': dir }) }, { 'worker.running': { isAlive } });

  it('is skipped if no worker is running', async () => {
    await writeFile(join(dir, statusFileName), JSON.stringify(well));
    expect(await askAbout(false)).toMatchObject({ status: 'skip', evidence: ['no worker is running'] });
    expect(await factOf(running, { settings: settingsWith({ 'dirs.state': dir }) })).toEqual({
      isAlive: false,
    });
  });

  it("reads the worker's status file", async () => {
    expect(await askAbout(true)).toMatchObject({
      status: 'skip',
      evidence: [expect.stringContaining('older version')],
    });
    await writeFile(join(dir, statusFileName), '{"at": 1}');
    expect(await askAbout(true)).toMatchObject({
      status: 'warn',
      fix: 'Restart the worker to rewrite it.',
    });
    const at = Date.now();
    await writeFile(join(dir, statusFileName), JSON.stringify({ ...well, at, jobsAt: at }));
    expect(await askAbout(true)).toMatchObject({ status: 'ok' });
  });
});
