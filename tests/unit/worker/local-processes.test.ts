import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createProcesses } from '../../../src/worker/executor/local/processes.js';
import type { LocalJob } from '../../../src/worker/executor/local/spool.js';
import { describeProcess, type ProcessIdentity } from '../../../src/worker/run-state/process-identity.js';

let dir: string;
const processes = createProcesses({ PATH: process.env['PATH'], HOME: '/' });
const begun: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-processes-'));
});

afterEach(async () => {
  for (const child of begun.splice(0)) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

/** A job of its own key, so that what one test leaves behind is none of another's. */
async function jobOf(script: string, over: Partial<LocalJob> = {}): Promise<LocalJob> {
  const path = join(dir, 'script');
  await writeFile(path, script);
  const log = join(dir, 'log');
  return {
    id: '7',
    key: dir,
    directory: dir,
    submittedAt: 1,
    script: path,
    scriptArgs: [],
    env: {},
    logFile: log,
    stdout: log,
    stderr: log,
    exitRecord: '',
    startingAt: 1,
    process: null,
    cancelAt: null,
    end: null,
    ...over,
  };
}

const message = async (): Promise<string> => readFile(join(dir, 'log'), 'utf8').catch(() => '');
const says = async (words: RegExp): Promise<RegExpExecArray> =>
  vi.waitFor(async () => words.exec(await message()) ?? Promise.reject(new Error('not yet')), {
    timeout: 20_000,
  });
/** A zombie that nobody has asked after yet is dead as well. */
const isAlive = async (pid: number): Promise<boolean> =>
  /\) [^Z] /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));

const groupOf = async (pid: string): Promise<string | undefined> =>
  (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[2];

const programOf = async (pid: number): Promise<string | undefined> =>
  (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')[0];

function mustBe(owner: ProcessIdentity | null): ProcessIdentity {
  if (owner === null) throw new Error('it is not there');
  return owner;
}

describe('a process of a local job', () => {
  test('gets its arguments, streams and environment unchanged, and nothing of the worker', async () => {
    const job = await jobOf(
      'printf "<%s>" "$@"; echo "$SLURM_JOB_ID $WORDS ${DSA_TEST_SECRET-none}"; echo bad >&2; exit 9',
      {
        scriptArgs: ['a b', '', '*'],
        env: { WORDS: 'é $x' },
        stderr: join(dir, 'errors'),
      },
    );
    await writeFile(job.logFile, 'before\n');
    vi.stubEnv('DSA_TEST_SECRET', 'hidden');
    const { ended } = await processes.start(job);
    expect(await ended).toEqual({ code: 9, signal: null });
    vi.unstubAllEnvs();
    expect(await message()).toBe('before\n<a b><><*>7 é $x none\n');
    expect(await readFile(job.stderr, 'utf8')).toBe('bad\n');
  });

  test('leads a group that is signaled as a whole', async () => {
    const job = await jobOf('sleep 60 & echo "child $!"; wait');
    const { process, ended } = await processes.start(job);
    const leader = mustBe(process);
    const child = Number((await says(/child (\d+)/))[1]);
    expect(await processes.stateOf(leader)).toBe('alive');
    await processes.signal(leader, 'SIGTERM', 'group');
    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
    await vi.waitFor(async () => expect(await isAlive(child)).toBe(false));
    expect(await processes.stateOf(leader)).toBe('dead');
  });

  test('has a leader that can be signaled alone', async () => {
    const job = await jobOf(`trap 'kill -0 "$child" && echo "child lives"; exit 7' TERM
sleep 60 & child=$!; echo "child $child"; wait`);
    const { process, ended } = await processes.start(job);
    await says(/child (\d+)/);
    await processes.signal(mustBe(process), 'SIGTERM', 'leader');
    expect(await ended).toEqual({ code: 7, signal: null });
    expect(await message()).toContain('child lives');
    await processes.killLeftovers(job, mustBe(process).pid);
  });

  test('leaves no processes behind', async () => {
    const job = await jobOf(
      `sleep 60 & echo "child $!"; env -i sleep 60 & echo "unmarked $!"; read -r line < ${dir}/hold`,
    );
    // the script ends once it has been looked at
    const hold = join(dir, 'hold');
    await promisify(execFile)('mkfifo', [hold]);
    const { process, ended } = await processes.start(job);
    const leader = mustBe(process).pid;
    await writeFile(hold, 'go on\n');
    expect(await ended).toEqual({ code: 0, signal: null });
    const [child, unmarked] = await Promise.all(
      [/^child (\d+)/m, /^unmarked (\d+)/m].map(async (words) => Number((await says(words))[1])),
    );
    const left = async () => [await isAlive(child ?? 0), await isAlive(unmarked ?? 0)];
    expect(await left()).toEqual([true, true]);
    // until it has become its program it carries the mark as well
    await vi.waitFor(async () => expect(await programOf(unmarked ?? 0)).toBe('sleep'), { timeout: 20_000 });
    await processes.killLeftovers(job, null);
    await vi.waitFor(async () => expect(await left()).toEqual([false, true]));
    await processes.killLeftovers(job, leader);
    await vi.waitFor(async () => expect(await left()).toEqual([false, false]));
  });

  test('does not signal a group whose leader has reused its pid', async () => {
    const job = await jobOf('exit 0');
    const other = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    begun.push(other);
    await once(other, 'spawn');
    await processes.killLeftovers(job, other.pid ?? null);
    expect(await isAlive(other.pid ?? 0)).toBe(true);
  });

  test.each([
    ['#!/bin/sh -e\necho "$0 $1 $-"', /^.*script x .*e/],
    ['#! /usr/bin/env python3\nimport sys; print("python", *sys.argv[1:])', /^python x$/m],
    ['echo "bash ${BASH_VERSION:+yes} $1"', /^bash yes x$/m],
  ])('is run by the interpreter in its first line: %j', async (script, words) => {
    const { ended } = await processes.start(await jobOf(script, { scriptArgs: ['x'] }));
    expect(await ended).toEqual({ code: 0, signal: null });
    await says(words);
  });

  test('is found by its mark, as are processes that left its group', async () => {
    const job = await jobOf(`setsid bash -c 'echo "child $$"; exec sleep 60' & sleep 60`);
    const { process, ended } = await processes.start(job);
    const leader = mustBe(process);
    const [, child = ''] = await says(/child (\d+)/);
    // until then it is still of the leader's group
    await vi.waitFor(async () => expect(await groupOf(child)).toBe(child), { timeout: 20_000 });
    expect(await processes.findStarted({ ...job, key: 'another' })).toBeNull();
    await processes.signal(leader, 'SIGKILL', 'group');
    await ended;
    // it leads a group of its own now, but its job is over
    const left = mustBe(await processes.findStarted(job));
    await processes.killLeftovers({ ...job, submittedAt: 2 }, null);
    expect(await processes.stateOf(left)).toBe('alive');
    await processes.killLeftovers(job, null);
    expect(await processes.stateOf(left)).toBe('dead');
  });

  test('is never mistaken for one that reused its pid or runs on another host', async () => {
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    begun.push(child);
    const real = await describeProcess(child.pid ?? 0);
    const [boot = '', space = ''] = (real.machine ?? '').split(' ');
    const cases: [ProcessIdentity, string][] = [
      [{ ...real, born: '1' }, 'dead'],
      [{ ...real, machine: `${boot} pid:[1]` }, 'out of reach'],
      [{ ...real, machine: `another-boot ${space}` }, 'dead'],
      [{ ...real, machine: `another-boot ${space}`, host: 'another' }, 'out of reach'],
      [{ ...real, machine: null }, 'out of reach'],
    ];
    for (const [owner, where] of cases) {
      expect(await processes.stateOf(owner)).toBe(where);
      await processes.signal(owner, 'SIGKILL', 'group');
    }
    expect(await processes.stateOf(real)).toBe('alive');
    await processes.signal(real, 'SIGKILL', 'group');
    await once(child, 'exit');
  });

  test.each([
    { what: 'a working directory that is gone', over: { directory: '/none/log' }, code: 'ENOENT' },
    { what: 'arguments without end', over: { scriptArgs: ['x'.repeat(200_000)] }, code: 'E2BIG' },
  ])('is not started with $what, and reports the reason', async ({ over, code }) => {
    const job = await jobOf('exit 0', over);
    await expect(processes.start(job)).rejects.toMatchObject({ code });
  });

  test('does not write through a link in place of its log', async () => {
    await symlink(join(dir, 'target'), join(dir, 'link'));
    const job = await jobOf('echo mine', { stdout: join(dir, 'link') });
    await expect(processes.start(job)).rejects.toMatchObject({ code: 'ELOOP' });
  });
});
