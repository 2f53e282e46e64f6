import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { CommandResult, RunCommand } from '../../../../src/base/command.js';
import { createLog } from '../../../../src/base/log.js';
import {
  detachWorker,
  detachedLines,
  type DetachedWorker,
} from '../../../../src/worker/open/detach-worker.js';
import { listenForClients } from '../../../../src/worker/socket/listen.js';
import { createFakeWorker } from '../../../support/fake-worker-handle.js';
import { someSettings } from '../../../support/settings.js';

const log = createLog({ level: 'silent', destination: 2 });
let root: string;
let state: string;
let stops: (() => Promise<void>)[];
let asked: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dsa-keep-'));
  state = join(root, 'state');
  await mkdir(state, { mode: 0o700 });
  stops = [];
  asked = [];
});

afterEach(async () => {
  for (const stop of stops) await stop();
  await rm(root, { recursive: true, force: true });
});

/** A worker comes to life in this process, as if what was started were it. */
async function workerComes(): Promise<void> {
  stops.push(await listenForClients(state, createFakeWorker(), log));
}

/** systemctl, and what happens when it is called. */
function systemctl(
  answer: Partial<CommandResult>,
  onCall = async (): Promise<void> => undefined,
): RunCommand {
  return async (file, args) => {
    asked.push([file, ...args].join(' '));
    await onCall();
    return { kind: 'exited', exitCode: 0, stdout: '', stderr: '', ms: 1, ...answer } as CommandResult;
  };
}

async function program(text: string): Promise<string> {
  const path = join(root, 'program');
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

async function installUnit(name = 'dsa-slurm.service'): Promise<void> {
  const directory = join(root, 'config', 'systemd', 'user');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, name), '');
}

async function keep(options: {
  program?: string;
  run?: RunCommand;
  flags?: string[];
  profile?: string;
  patienceMs?: number;
}): Promise<DetachedWorker> {
  return detachWorker({
    profile: 'default',
    settings: someSettings({ 'dirs.state': state }),
    flags: [],
    env: { PATH: process.env['PATH'], XDG_CONFIG_HOME: join(root, 'config') },
    run: systemctl({}),
    ...options,
  });
}

test('without a unit a process is started with the same profile and flags, and it is waited for', async () => {
  const path = await program(
    `echo "$@" > ${root}/args; echo words to people; sleep 30 & echo $! > ${root}/pid; wait`,
  );
  const started = keep({ program: path, flags: ['--queue=a', '--set=slurm.mem=4G'], profile: 'lab' });
  let pid = 0;
  while (pid === 0) pid = Number(await readFile(join(root, 'pid'), 'utf8').catch(() => ''));
  await workerComes();
  const logFile = join(state, 'worker.log');
  expect(await started).toEqual({ pid: process.pid, unit: null, logFile });
  expect(await readFile(join(root, 'args'), 'utf8')).toBe(
    `--profile=lab worker --queue=a --set=slurm.mem=4G --log-file=${logFile}\n`,
  );
  expect(asked).toEqual([]);
  process.kill(pid);
});

test('a process that ends says why', async () => {
  const path = await program('echo "{}"; echo "dsa-slurm: The broker is unknown." >&2; exit 2');
  await expect(keep({ program: path })).rejects.toMatchObject({
    code: 'worker',
    message: 'The worker could not be started in the background: dsa-slurm: The broker is unknown.',
  });
  await expect(keep({ program: join(root, 'missing') })).rejects.toThrow(/did not come up; see .*worker.log/);
});

test('the unit of the profile is started where it is installed', async () => {
  await installUnit('dsa-slurm-lab.service');
  const kept = await keep({ profile: 'lab', run: systemctl({}, workerComes) });
  expect(kept).toMatchObject({ pid: process.pid, unit: 'dsa-slurm-lab.service' });
  expect(asked).toEqual(['systemctl --user start dsa-slurm-lab.service']);
});

test('the unit is not used for other settings, nor without systemd', async () => {
  await installUnit();
  const path = await program('exit 1');
  await expect(keep({ program: path, flags: ['--queue=a'] })).rejects.toThrow(
    /could not be started in the background/,
  );
  expect(asked).toEqual([]);
  const none = systemctl({
    exitCode: 1,
    stderr: 'Failed to connect to bus: No medium found',
  });
  await workerComes();
  expect(await keep({ program: path, run: none })).toMatchObject({ unit: null });
  expect(asked).toHaveLength(1);
});

test('a unit that fails is not replaced by something else', async () => {
  await installUnit();
  const run = systemctl({ exitCode: 1, stderr: 'Job for dsa-slurm.service failed.' });
  await expect(keep({ run, program: await program(`touch ${root}/started`) })).rejects.toMatchObject({
    message: expect.stringContaining('Job for dsa-slurm.service failed'),
    next: expect.stringContaining('systemctl --user status dsa-slurm.service'),
  });
  await expect(readFile(join(root, 'started'))).rejects.toThrow('ENOENT');
});

test('prints how to reach and stop the worker', () => {
  expect(detachedLines({ pid: 7, unit: null, logFile: '/s/worker.log' }, 'lab')).toEqual([
    'The worker continues in the background, as process 7.',
    '  dsa-slurm --profile lab console   open the console',
    '  kill 7                            stop it; its jobs continue',
    '  tail -f /s/worker.log             read its log',
  ]);
  // to be pasted, whatever the directory is called
  const odd = detachedLines({ pid: 7, unit: null, logFile: "/s/it's $HOME; x/worker.log" }, 'lab').join('\n');
  expect(odd).toContain(String.raw`tail -f '/s/it'\''s $HOME; x/worker.log'`);
  const unit = detachedLines({ pid: 7, unit: 'dsa-slurm.service', logFile: '' }, 'default').join('\n');
  expect(unit).toContain('systemctl --user stop dsa-slurm.service');
  expect(unit).toContain('journalctl --user -u dsa-slurm.service -f');
});

test('a standby on another host that was faster is named at once', async () => {
  const owner = {
    pid: 77,
    host: 'login2.example',
    machine: 'another',
    born: '1',
    since: '2026-11-30T08:00:00Z',
  };
  await installUnit();
  const run = systemctl({}, async () => writeFile(join(state, 'worker.owner'), JSON.stringify(owner)));
  // far beyond the time that a test may take
  await expect(keep({ run, patienceMs: 600_000 })).rejects.toThrow(
    /process 77 on login2\.example runs this profile/,
  );
});
