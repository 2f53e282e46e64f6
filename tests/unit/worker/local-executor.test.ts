import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import type { Executor, JobRequest } from '../../../src/worker/executor/executor.js';
import { createLocalExecutor } from '../../../src/worker/executor/local.js';
import type { ProcessEnd, Processes } from '../../../src/worker/executor/local/processes.js';
import { createSpool, type LocalJob } from '../../../src/worker/executor/local/spool.js';
import type { Owner } from '../../../src/worker/owner.js';

let dir: string;
let played: PlayedProcesses;
let executor: Executor;

/** Processes that are none: a test says when one ends. */
interface PlayedProcesses extends Processes {
  started: string[];
  signals: string[];
  alive: Map<number, { job: string; end(how: ProcessEnd): void }>;
  /** Further starts note nothing and answer nothing: the worker died in the middle of one. */
  freeze: boolean;
}

const owner = (pid: number): Owner => ({ pid, host: 'here', since: 'now', machine: 'm', born: String(pid) });

function playProcesses(): PlayedProcesses {
  let pid = 100;
  const processes: PlayedProcesses = {
    started: [],
    signals: [],
    alive: new Map(),
    freeze: false,
    async start(job) {
      pid += 1;
      const me = pid;
      processes.started.push(job.id);
      const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
      processes.alive.set(me, {
        job: job.id,
        end(how) {
          processes.alive.delete(me);
          resolve(how);
        },
      });
      if (processes.freeze) await new Promise(() => undefined);
      return { process: owner(me), ended };
    },
    async findStarted({ id }) {
      const found = [...processes.alive].find(([, { job }]) => job === id);
      return found === undefined ? null : owner(found[0]);
    },
    isDead: async ({ pid: number }) => !processes.alive.has(number),
    signal: ({ pid: number }, signal) => processes.signals.push(`${signal} ${number}`),
  };
  return processes;
}

function open(concurrency = 2): Executor {
  return createLocalExecutor({
    stateDirectory: dir,
    concurrency,
    env: {},
    clock: systemClock,
    log: silentLog(),
    processes: played,
  });
}

const request = (key: string): JobRequest => ({
  key,
  logFile: join(dir, `${key}.log`),
  streams: {},
  options: [],
  script: '/script',
  scriptArgs: ['a b'],
  env: { DSA_SLURM_EXIT_RECORD: join(dir, `${key}.exit`), APPTAINERENV_SECRET: 'x' },
});

const states = (of = executor): string[] =>
  of.tracker.view().rows.map(({ id, state }) => `${id} ${state.base}`);
const seen = async (...wanted: string[]): Promise<void> =>
  vi.waitFor(() => expect(states()).toEqual(wanted), { timeout: 4_000 });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-local-'));
  played = playProcesses();
  executor = open();
  executor.tracker.start();
});

afterEach(async () => {
  await executor.tracker.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('local jobs', () => {
  test('run in the order in which they came, so many at a time', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    played.alive.get(101)?.end({ code: 0, signal: null });
    await seen('1 COMPLETED', '2 RUNNING', '3 RUNNING');
    played.alive.get(102)?.end({ code: 7, signal: null });
    await seen('1 COMPLETED', '2 FAILED', '3 RUNNING');
    expect(executor.tracker.row('2')?.exitCode).toEqual({ code: 7, signal: 0 });
    played.alive.get(103)?.end({ code: null, signal: 'SIGKILL' });
    await seen('1 COMPLETED', '2 FAILED', '3 FAILED');
    expect(executor.tracker.row('3')?.exitCode).toEqual({ code: 0, signal: 9 });
  });

  test('are found by their key, and told by it how they ended', async () => {
    await executor.submit(request('a'));
    expect(await executor.find({ key: 'a', since: 0 })).toMatchObject({
      kind: 'found',
      jobId: '1',
      others: [],
    });
    expect(await executor.find({ key: 'b', since: 0 })).toMatchObject({ kind: 'none' });
    await seen('1 RUNNING');
    const asked = { jobId: '1', key: 'a', exitRecord: join(dir, 'a.exit') };
    expect(await executor.resolveEnd(asked)).toMatchObject({ kind: 'alive' });
    played.alive.get(101)?.end({ code: 0, signal: null });
    await seen('1 COMPLETED');
    expect(await executor.resolveEnd(asked)).toMatchObject({ kind: 'ended', outcome: 'succeeded' });
    // a number that a later job got is not ours
    expect(await executor.resolveEnd({ ...asked, key: 'z', exitRecord: join(dir, 'z.exit') })).toMatchObject({
      kind: 'lost',
    });
  });

  test('that wait are canceled without a process, running ones by a signal to their group', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    expect(await executor.cancel(['3', '1', '99'])).toEqual({ ok: true, said: '' });
    await seen('1 RUNNING', '2 RUNNING', '3 CANCELLED');
    expect(played.signals).toEqual(['SIGTERM 101']);
    // whatever it ends with: it was canceled
    played.alive.get(101)?.end({ code: 0, signal: null });
    await seen('1 CANCELLED', '2 RUNNING', '3 CANCELLED');
    expect(played.started).toEqual(['1', '2']);
  });

  test('outlive the worker, which tells dead from living and starts what waited', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    await executor.tracker.stop();
    // it ends unseen, with a record; the other one goes on
    played.alive.delete(101);
    await writeFile(join(dir, 'a.exit'), 'exit=0\njob=1\nnode=here\nstart=1\nend=2\n');
    executor = open();
    executor.tracker.start();
    await seen('1 COMPLETED', '2 RUNNING', '3 RUNNING');
    expect(played.started).toEqual(['1', '2', '3']);
    const next = await executor.submit(request('d'));
    expect(next).toMatchObject({ kind: 'submitted', jobId: '4' });
  });

  test('that end after the worker stopped are left to the next one', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.tracker.stop();
    await rm(join(dir, 'local-jobs'), { recursive: true });
    played.alive.get(101)?.end({ code: 0, signal: null });
    await expect(stat(join(dir, 'local-jobs'))).rejects.toThrow('ENOENT');
    expect(states()).toEqual(['1 RUNNING']);
  });

  test('whose end cannot be written down at once are looked at again', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    const spool = join(dir, 'local-jobs');
    await rename(spool, `${spool}.away`);
    played.alive.get(101)?.end({ code: 0, signal: null });
    await vi.waitFor(() => expect(executor.tracker.view().trouble).toContain('cannot be looked after'), {
      timeout: 4_000,
    });
    await writeFile(join(dir, 'a.exit'), 'exit=0\njob=1\nnode=here\nstart=1\nend=2\n');
    await rename(`${spool}.away`, spool);
    await seen('1 COMPLETED');
    expect(executor.tracker.view().trouble).toBeNull();
  });

  test('that ended unseen and without a record have failed', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.tracker.stop();
    played.alive.delete(101);
    executor = open();
    executor.tracker.start();
    await seen('1 FAILED');
    expect(executor.tracker.row('1')?.reason).toBe('it ended without a word about how');
  });

  test.each([
    { what: 'is taken up where its process is there', alive: true, started: ['1'], state: '1 RUNNING' },
    { what: 'is started where none is', alive: false, started: ['1', '1'], state: '1 RUNNING' },
  ])('a job in whose start the worker died $what', async ({ alive, started, state }) => {
    played.freeze = true;
    await executor.submit(request('a'));
    await vi.waitFor(() => expect(played.started).toEqual(['1']));
    if (!alive) played.alive.clear();
    played.freeze = false;
    // the old one hangs in the middle of it, as a worker that is gone would
    const next = open();
    next.tracker.start();
    await vi.waitFor(() => expect(states(next)).toEqual([state]), { timeout: 4_000 });
    expect(played.started).toEqual(started);
    await next.tracker.stop();
    executor = next;
  });
});

describe('the spool', () => {
  test('is for its owner only, and leaves strange files alone', async () => {
    await executor.submit(request('a'));
    const directory = join(dir, 'local-jobs');
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, '1.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(directory, '7.json'), '{"id": "7"}');
    await writeFile(join(directory, 'notes.txt'), 'mine');
    const { jobs, strange } = await createSpool(directory).load();
    expect([jobs.map(({ id }: LocalJob) => id), strange]).toEqual([['1'], 1]);
  });
});
