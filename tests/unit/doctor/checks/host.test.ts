import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clockGirder, clockSlurm, judgeSkew, sdiagTime } from '../../../../src/doctor/checks/host/clock.js';
import { judgeLocale } from '../../../../src/doctor/checks/host/locale.js';
import { judgeNode } from '../../../../src/doctor/checks/host/node.js';
import { judgeOpenFiles } from '../../../../src/doctor/checks/host/open-files.js';
import { judgeShell, shellNoise } from '../../../../src/doctor/checks/host/shell-noise.js';
import { judgeState, stateDirectory } from '../../../../src/doctor/checks/host/state-directory.js';
import {
  ask,
  exited,
  expectFinding,
  factOf,
  fakeRun,
  missing,
  runContext,
  settingsWith,
  timedOut,
} from '../../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

const byGirder = (skew: number | null) =>
  ask(clockGirder, {}, { 'girder.reach': { apiUrl: '', major: 3, skew } });

describe('host', () => {
  it.each([
    ['v24.21.0', 'ok', null],
    ['v22.22.2', 'ok', null],
    ['v26.0.0', 'ok', null],
    ['v24.14.0', 'fail', 'nvm install 24'],
    ['v25.1.0', 'fail', 'nvm install 24'],
    ['v20.19.0', 'fail', 'nvm install 24'],
  ])('Node %s', (version, status, fix) => expectFinding(judgeNode(version), status, version, fix));

  it.each([
    [{ LANG: 'de_DE.UTF-8' }, 'ok', 'LANG=de_DE.UTF-8', null],
    [{ LANG: 'C.UTF-8', LC_ALL: 'C' }, 'warn', 'LC_ALL=C is not UTF-8', 'export LANG=C.UTF-8'],
    [{}, 'warn', 'No locale is set', 'export LANG=C.UTF-8'],
  ])('locale %j', (env, status, evidence, fix) => expectFinding(judgeLocale(env), status, evidence, fix));

  it.each([
    [exited('', { ms: 20 }), 'ok', 'starts silently in 20 ms', null],
    [exited('Welcome!\nto'), 'warn', 'first line: Welcome!', '~/.bashrc'],
    [exited('', { ms: 3_000 }), 'warn', 'takes 3000 ms', 'bash -lxc true'],
    [timedOut, 'warn', 'hangs in its startup files', 'bash -lxc true'],
    [missing, 'ok', 'bash is not installed', null],
  ])('shell %#', (result, status, evidence, fix) => expectFinding(judgeShell(result), status, evidence, fix));

  it('starts a login shell', async () => {
    expectFinding(
      await ask(shellNoise, { run: fakeRun({ 'bash -lc true': exited('hello') }) }),
      'warn',
      'hello',
      '[[ $- == *i* ]]',
    );
  });

  it.each([
    ['Max open files            20000                20000                files', 'ok', null],
    ['Max open files            unlimited            unlimited            files', 'ok', null],
    ['Max open files            1024                 1024                 files', 'warn', 'ulimit -n 2512'],
    ['', 'skip', null],
  ])('open files: %s', (limits, status, fix) =>
    expectFinding(judgeOpenFiles(limits, 1_000), status, '', fix),
  );

  it.each([
    [0, 'ok', 'differs by 0 s', null],
    [-29, 'ok', 'differs by 29 s', null],
    [400, 'warn', '400 s ahead', 'timedatectl status'],
    [-400, 'warn', '400 s behind', 'chronyd'],
  ])('a clock that is %d s off', (skew, status, evidence, fix) =>
    expectFinding(judgeSkew(skew, 'It'), status, evidence, fix),
  );

  it("reads the controller's time from sdiag", async () => {
    expect(sdiagTime('***\nsdiag output at Mon Nov 23 20:17:41 2026 (1795464000)\nData since\n')).toBe(
      1_795_464_000,
    );
    expect(sdiagTime('sdiag output at soon')).toBeNull();
    const now = Math.round(Date.now() / 1_000);
    const sdiag = (skew: number) => ({
      run: fakeRun({ sdiag: exited(`sdiag output at x (${now + skew})\n`) }),
    });
    expectFinding(await ask(clockSlurm, sdiag(0)), 'ok', 'controller', null);
    expectFinding(await ask(clockSlurm, sdiag(3_600)), 'warn', 'ahead', 'timedatectl');
    expectFinding(await ask(clockSlurm), 'skip', 'sdiag did not report', null);
  });

  it("judges Girder's clock by its answer", async () => {
    expectFinding(await byGirder(1), 'ok', 'Girder', null);
    expectFinding(await byGirder(-90), 'warn', '90 s behind', 'timedatectl');
    expectFinding(await byGirder(null), 'skip', 'no Date', null);
  });

  const state = { mode: 0o40700, writable: true, free: 50e9, fileSystem: null };
  const nfs = { type: 'nfs4', mountPoint: '/home', source: 'nas:/home', reach: 'shared' } as const;
  it.each([
    ['well', state, 'ok', 'free', null],
    ['open to others', { ...state, mode: 0o40755 }, 'warn', 'Other users can access', 'chmod 700 /s'],
    [
      'on NFS',
      { ...state, fileSystem: nfs },
      'warn',
      'network file system (nfs4)',
      'config set dirs.state /var/lib/dsa-slurm/lab',
    ],
    ['nearly full', { ...state, free: 50e6 }, 'warn', 'Only 50 MB', 'df -h /s'],
    ['full', { ...state, free: 1e6 }, 'fail', 'Only 1 MB', 'df -h /s'],
    ['not writable', { ...state, writable: false }, 'fail', 'not writable', 'chmod u+rwx /s'],
  ])('state directory: %s', (_name, facts, status, evidence, fix) =>
    expectFinding(judgeState('/s', facts, 'lab'), status, evidence, fix),
  );

  it('fixes the mode of a state directory, and accepts one that does not exist yet', async () => {
    const path = join(dir, 'state');
    const settings = settingsWith({ 'dirs.state': path });
    expectFinding(await ask(stateDirectory, { settings }), 'ok', 'does not exist yet', null);
    await mkdir(path, { mode: 0o755 });
    await chmod(path, 0o755);
    expectFinding(await ask(stateDirectory, { settings }), 'warn', 'Other users', `chmod 700 ${path}`);
    const [repair] = stateDirectory.repairs?.(runContext(), await factOf(stateDirectory, { settings })) ?? [];
    expect(repair?.what).toBe(`chmod 700 ${path}`);
    await repair?.apply();
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await ask(stateDirectory, { settings })).status).toBe('ok');
  });
});
