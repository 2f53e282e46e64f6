import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../../src/base/clock.js';
import { journal } from '../../../../src/doctor/checks/worker/journal.js';
import { judgeLog, lastErrors } from '../../../../src/doctor/checks/worker/last-errors.js';
import { judgeLock, running } from '../../../../src/doctor/checks/worker/running.js';
import { lockState } from '../../../../src/worker/run-state/state-lock.js';
import { judgeUnfinished } from '../../../../src/doctor/checks/worker/unfinished.js';
import { ask, expectFinding, settingsWith } from '../../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

const hour = 3_600_000;
const runOf = (changes: object = {}) => ({
  id: 'r1',
  stage: 'running' as const,
  stageSince: 0,
  acceptedAt: 0,
  ...changes,
});
const line = (level: number, time: string, msg: string) => JSON.stringify({ level, time, msg });
/** Looks come after half a second each; the doctor's own time never ends. */
const clockWith = (between: () => Promise<void>): Clock => ({
  now: () => 0,
  monotonic: () => 0,
  sleep: async (ms) => (ms === 500 ? between() : new Promise(() => undefined)),
});

describe('worker', () => {
  const owner = { pid: 7, host: hostname(), since: '2026-11-23', machine: null, born: null };
  it.each([
    ['runs', { owner, age: 0, dead: false }, 'ok', 'process 7', null],
    [
      'running on another host',
      { owner: { ...owner, host: 'far' }, age: 0, dead: false },
      'ok',
      'running on another host',
      null,
    ],
    [
      'none',
      { owner: null, age: null, dead: false },
      'warn',
      'No worker is running',
      'dsa-slurm --profile lab worker',
    ],
    ['dead', { owner, age: 0, dead: true }, 'warn', 'died', 'worker'],
    [
      'stale',
      { owner, age: 60_000, dead: false },
      'warn',
      'not renewed for 60 s',
      'once the lock has expired',
    ],
  ])('lock: %s', (_name, lock, status, evidence, fix) =>
    expectFinding(judgeLock(lock, 'lab'), status, evidence, fix),
  );

  it('reads lock and owner', async () => {
    const settings = settingsWith({ 'dirs.state': dir });
    expectFinding(await ask(running, { settings }), 'warn', 'No worker is running', 'worker');
    const lease = await lockState(dir, { leaseSeconds: 3, onLost: expect.fail });
    expectFinding(await ask(running, { settings }), 'ok', `process ${process.pid}`, null);
    await lease.release();
    expectFinding(await ask(running, { settings }), 'warn', 'No worker is running', 'worker');
  });

  it('watches the lock of a worker on another host', async () => {
    const settings = settingsWith({ 'dirs.state': dir });
    await mkdir(join(dir, 'worker.lock'));
    const lease = { generation: 1, state: 'held', leaseMs: 3_000, owner: { ...owner, host: 'far' } };
    const write = async (renewal: number): Promise<void> =>
      writeFile(join(dir, 'worker.lock', 'lease.1'), JSON.stringify({ ...lease, renewal }));
    await write(1);
    let renewal = 1;
    const renewing = clockWith(async () => write((renewal += 1)));
    const seen = await ask(running, { settings, clock: renewing });
    expectFinding(seen, 'ok', 'running on another host: process 7 on far', null);
    const silent = clockWith(async () => undefined);
    expectFinding(
      await ask(running, { settings, clock: silent }),
      'warn',
      'not renewed for 1 s',
      'has expired',
    );
  });

  it('reads the journal without changing it', async () => {
    const settings = settingsWith({ 'dirs.state': dir });
    expectFinding(await ask(journal, { settings }), 'ok', 'none yet', null);
    const path = join(dir, 'journal.jsonl');
    const head = JSON.stringify({ journal: 'dsa-slurm', version: 1 });
    const accepted = JSON.stringify({
      run: 'r1',
      event: { type: 'accepted', at: 1, task: { id: 'r1' }, refusal: null },
    });
    await writeFile(path, `${head}\n${accepted}\n{"torn`);
    expectFinding(await ask(journal, { settings }), 'ok', '1 run, 1 not finished', null);
    await writeFile(path, `${head}\n${accepted}\nrubbish\n`);
    expectFinding(await ask(journal, { settings }), 'warn', '1 line cannot be read', 'df -h');
    expect(await readdir(dir)).toEqual(['journal.jsonl']);
    await writeFile(path, `${JSON.stringify({ journal: 'dsa-slurm', version: 99 })}\n`);
    expectFinding(await ask(journal, { settings }), 'fail', 'newer dsa-slurm', 'Start that version');
  });

  it.each([
    ['none', [], 'ok', 'no unfinished runs', null],
    ['one', [runOf()], 'ok', '1 unfinished run, the oldest for 2 h', null],
    ['finished only', [runOf({ stage: 'finished' })], 'ok', 'no unfinished runs', null],
    [
      'long in staging',
      [runOf({ stage: 'staging', stageSince: -20 * hour })],
      'warn',
      'r1 staging for 22 h',
      'dsa-slurm console',
    ],
    [
      'waiting for Girder',
      [runOf({ girderProblem: 'Girder at http://girder:8080 could not be reached (ENOTFOUND).' })],
      'warn',
      '1 run waiting for Girder: Girder at http://girder:8080 could not be reached',
      'dsa-slurm runs list',
    ],
    [
      'older than its token',
      [runOf({ acceptedAt: -8 * 24 * hour })],
      'warn',
      'older than 7 days',
      'cancel them',
    ],
  ])('unfinished: %s', (_name, runs, status, evidence, fix) =>
    expectFinding(judgeUnfinished(runs, 2 * hour), status, evidence, fix),
  );

  it('shows the last errors of the log', async () => {
    const now = Date.parse('2026-11-23T12:00:00Z');
    const text = [
      line(30, '2026-11-23T11:00:00Z', 'fine'),
      line(50, '2026-11-20T11:00:00Z', 'long ago'),
      'no JSON',
      line(50, '2026-11-23T11:30:00Z', 'it \u001b[31mbroke'),
    ].join('\n');
    const finding = judgeLog(text, '/l', now);
    expectFinding(finding, 'warn', '1 error in the last 24 hours', 'grep');
    expect(finding.evidence.join()).not.toContain('long ago');
    expect(finding.evidence.join()).not.toContain('\u001b');
    expectFinding(judgeLog(line(30, '2026-11-23T11:00:00Z', 'fine'), '/l', now), 'ok', 'no errors', null);
  });

  it('reads the configured log file', async () => {
    expectFinding(await ask(lastErrors), 'skip', 'log.file is not set', null);
    const path = join(dir, 'log');
    const settings = settingsWith({ 'log.file': path });
    expectFinding(await ask(lastErrors, { settings }), 'ok', 'does not exist yet', null);
    await writeFile(path, `${JSON.stringify({ level: 50, time: new Date().toISOString(), msg: 'broke' })}\n`);
    expectFinding(await ask(lastErrors, { settings }), 'warn', 'broke', 'grep');
  });
});
