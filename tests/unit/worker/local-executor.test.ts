import { copyFile, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { systemClock, type Clock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import type { Executor, JobRequest } from '../../../src/worker/executor/executor.js';
import { createLocalExecutor } from '../../../src/worker/executor/local.js';
import type { ProcessEnd, Processes } from '../../../src/worker/executor/local/processes.js';
import { createSpool, type LocalJob, type Spool } from '../../../src/worker/executor/local/spool.js';
import type { ProcessIdentity } from '../../../src/worker/run-state/process-identity.js';

/** Fake processes that end when a test says so. */
interface PlayedProcesses extends Processes {
  started: string[];
  signals: string[];
  alive: Map<number, { job: string; end(how: ProcessEnd): void }>;
  /** Further starts note nothing and answer nothing: the worker died in the middle of one. */
  freeze: boolean;
  /** Further starts fail so. */
  refuse: string | null;
  /** Nothing of these can be seen. */
  away: boolean;
}

let dir: string;
let played: PlayedProcesses;
let executor: Executor;
/** What the clock is ahead. */
let later: number;
/** What the time of day is set back. */
let setBack: number;
/** How further calls of the spool fail. */
let broken: Partial<Spool>;

const clock: Clock = {
  now: () => Date.now() + later - setBack,
  monotonic: () => Date.now() + later,
  sleep: async (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal),
};
const owner = (pid: number): ProcessIdentity => ({
  pid,
  host: 'here',
  since: 'now',
  machine: 'm',
  born: String(pid),
});

function playProcesses(): PlayedProcesses {
  let pid = 100;
  const processes: PlayedProcesses = {
    started: [],
    signals: [],
    alive: new Map(),
    freeze: false,
    refuse: null,
    away: false,
    async start(job) {
      if (processes.refuse !== null) throw Object.assign(new Error('no'), { code: processes.refuse });
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
    async stateOf({ pid: number }) {
      if (processes.away) return 'out of reach';
      return processes.alive.has(number) ? 'alive' : 'dead';
    },
    async signal({ pid: number }, signal, whom) {
      processes.signals.push(`${signal} ${whom === 'group' ? '' : `${whom} `}${number}`);
    },
    killLeftovers: async () => undefined,
  };
  return processes;
}

function open(concurrency = 2, graceMs = 0): Executor {
  const real = createSpool(join(dir, 'local-jobs'));
  return createLocalExecutor({
    stateDirectory: dir,
    concurrency,
    graceMs,
    env: {},
    clock,
    log: silentLog(),
    processes: played,
    spool: {
      directory: real.directory,
      load: async () => (broken.load ?? real.load)(),
      save: async (job) => (broken.save ?? real.save)(job),
      remove: async (id) => (broken.remove ?? real.remove)(id),
    },
  });
}

/** Another worker on the same state directory, after the first one. */
async function restart(): Promise<void> {
  await executor.tracker.stop();
  executor = open();
  executor.tracker.start();
}

const request = (key: string): JobRequest => ({
  key,
  directory: dir,
  logFile: join(dir, `${key}.log`),
  streams: {},
  options: [],
  script: '/script',
  scriptArgs: ['--token', 'hidden'],
  env: { DSA_SLURM_EXIT_RECORD: join(dir, `${key}.exit`), APPTAINERENV_SECRET: 'hidden' },
});

const states = (of = executor): string[] =>
  of.tracker.view().rows.map(({ id, state }) => `${id} ${state.base}`);
const seen = async (...wanted: string[]): Promise<void> =>
  vi.waitFor(() => expect(states()).toEqual(wanted), { timeout: 4_000 });
const signaled = async (...wanted: string[]): Promise<void> =>
  vi.waitFor(() => expect(played.signals).toEqual(wanted), { timeout: 4_000 });
const troubled = async (words: RegExp): Promise<void> =>
  vi.waitFor(() => expect(executor.tracker.view().problem).toMatch(words), { timeout: 4_000 });
const record = async (key: string, job: string, exit = 0): Promise<void> =>
  writeFile(join(dir, `${key}.exit`), `exit=${exit}\njob=${job}\nnode=here\nstart=1\nend=2\n`);
const diskFull = async (): Promise<never> => {
  throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-local-'));
  later = 0;
  setBack = 0;
  broken = {};
  played = playProcesses();
  executor = open();
  executor.tracker.start();
});

afterEach(async () => {
  await executor.tracker.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('local jobs', () => {
  test('run in submission order, limited to the configured number', async () => {
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

  test('keep their row objects while they do not change', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    const [, , waiting] = executor.tracker.view().rows;
    const { at } = executor.tracker.view();
    await vi.waitFor(() => expect(executor.tracker.view().at).not.toBe(at), { timeout: 4_000 });
    expect(executor.tracker.row('3')).toBe(waiting);
  });

  test('are found by their key, and so is their end', async () => {
    await executor.submit(request('a'));
    const found = await executor.find({ key: 'a', since: 0 });
    expect(found).toMatchObject({ kind: 'found', jobId: '1', others: [] });
    expect(await executor.find({ key: 'b', since: 0 })).toMatchObject({ kind: 'none' });
    await seen('1 RUNNING');
    const asked = { jobId: '1', key: 'a', exitRecord: join(dir, 'a.exit'), trustRecord: false };
    expect(await executor.resolveEnd(asked)).toMatchObject({ kind: 'alive' });
    played.alive.get(101)?.end({ code: 0, signal: null });
    await seen('1 COMPLETED');
    expect(await executor.resolveEnd(asked)).toMatchObject({ kind: 'ended', outcome: 'succeeded' });
    // a number that a later job got is not ours
    const other = { ...asked, key: 'z', exitRecord: join(dir, 'z.exit') };
    expect(await executor.resolveEnd(other)).toMatchObject({ kind: 'lost' });
    await record('z', '1', 3);
    expect(await executor.resolveEnd(other)).toMatchObject({
      outcome: 'failed',
      exitCode: { code: 3, signal: 0 },
    });
  });

  test('are described like scontrol does, without secrets', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    const answer = await executor.describe('1');
    if (answer.kind !== 'job') throw new Error('no job');
    expect(Object.fromEntries(answer.job.pairs)).toMatchObject({
      JobId: '1',
      JobState: 'RUNNING',
      Pid: '101',
      Command: '/script',
    });
    expect(JSON.stringify(answer)).not.toContain('hidden');
    expect(await executor.describe('9')).toEqual({ kind: 'unknown-job' });
  });

  test('are canceled without a process while waiting, by a signal to their group while running', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    expect(await executor.cancel(['3', '1', '99'])).toEqual({ ok: true, message: '' });
    await seen('1 RUNNING', '2 RUNNING', '3 CANCELLED');
    await signaled('SIGTERM 101');
    // asked again: once is enough
    await executor.cancel(['1']);
    // whatever it ends with: it was canceled
    played.alive.get(101)?.end({ code: 0, signal: null });
    await seen('1 CANCELLED', '2 RUNNING', '3 CANCELLED');
    expect(played.signals).toEqual(['SIGTERM 101']);
    expect(played.started).toEqual(['1', '2']);
  });

  test('are killed if they do not end within 30 s of SIGTERM', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.cancel(['1']);
    await signaled('SIGTERM 101');
    later = 29_000;
    await restart();
    // a new worker does not know that it was asked
    await signaled('SIGTERM 101', 'SIGTERM 101');
    later = 30_500;
    await vi.waitFor(() => expect(played.signals.at(-1)).toBe('SIGKILL 101'), { timeout: 4_000 });
    played.alive.get(101)?.end({ code: null, signal: 'SIGKILL' });
    await seen('1 CANCELLED');
  });

  test('are killed in time if the wall clock is set back', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.cancel(['1']);
    await signaled('SIGTERM 101');
    setBack = 3_600_000;
    later = 30_500;
    await vi.waitFor(() => expect(played.signals.at(-1)).toBe('SIGKILL 101'), { timeout: 4_000 });
    played.alive.get(101)?.end({ code: null, signal: 'SIGKILL' });
    await seen('1 CANCELLED');
  });

  test('are not killed early if the wall clock is set forward', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.cancel(['1']);
    await signaled('SIGTERM 101');
    setBack = -3_600_000;
    later = 20_000;
    // another job has its turn, so this one was looked at since
    await executor.submit(request('b'));
    await seen('1 RUNNING', '2 RUNNING');
    expect(played.signals).toEqual(['SIGTERM 101']);
  });

  test('of a script that passes signals on are signaled through it, then as a group, then killed', async () => {
    executor = open(2, 10_000);
    executor.tracker.start();
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.cancel(['1']);
    await signaled('SIGTERM leader 101');
    later = 10_000;
    await signaled('SIGTERM leader 101', 'SIGTERM 101');
    later = 40_500;
    await vi.waitFor(() => expect(played.signals.at(-1)).toBe('SIGKILL 101'), { timeout: 4_000 });
    played.alive.get(101)?.end({ code: null, signal: 'SIGKILL' });
    await seen('1 CANCELLED');
  });

  test('that end after the worker stopped are handled by the next one', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.tracker.stop();
    await rm(join(dir, 'local-jobs'), { recursive: true });
    played.alive.get(101)?.end({ code: 0, signal: null });
    await expect(stat(join(dir, 'local-jobs'))).rejects.toThrow('ENOENT');
    expect(states()).toEqual(['1 RUNNING']);
  });

  test('whose end cannot be saved are polled again', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    const spool = join(dir, 'local-jobs');
    await rename(spool, `${spool}.away`);
    played.alive.get(101)?.end({ code: 0, signal: null });
    await vi.waitFor(() => expect(executor.tracker.view().problem).toContain('cannot be supervised'), {
      timeout: 4_000,
    });
    await writeFile(join(dir, 'a.exit'), 'exit=0\njob=1\nnode=here\nstart=1\nend=2\n');
    await rename(`${spool}.away`, spool);
    await seen('1 COMPLETED');
    expect(executor.tracker.view().problem).toBeNull();
  });

  test('stay listed for five minutes, and no id is reused', async () => {
    for (const key of ['a', 'b']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING');
    for (const pid of [101, 102]) played.alive.get(pid)?.end({ code: 0, signal: null });
    await seen('1 COMPLETED', '2 COMPLETED');
    later = 301_000;
    await seen('2 COMPLETED');
    // a worker that was stopped for long still finds how the last ones ended
    later = 3_000_000;
    await restart();
    await seen('2 COMPLETED');
    expect(await executor.submit(request('c'))).toMatchObject({ jobId: '3' });
    later = 3_301_000;
    await seen('3 RUNNING');
    expect(await readdir(join(dir, 'local-jobs'))).toEqual(['3.json']);
  });
});

describe('a process that cannot be started', () => {
  test('for lack of resources is retried', async () => {
    played.refuse = 'EAGAIN';
    await executor.submit(request('a'));
    await troubled(/cannot be supervised: no/);
    expect(states()).toEqual(['1 PENDING']);
    played.refuse = null;
    await seen('1 RUNNING');
    expect(executor.tracker.view().problem).toBeNull();
  });

  test('for another reason fails only its job', async () => {
    played.refuse = 'E2BIG';
    await executor.submit(request('a'));
    await seen('1 FAILED');
    expect(executor.tracker.row('1')?.reason).toBe('it could not be started: no');
    played.refuse = null;
    await executor.submit(request('b'));
    await seen('1 FAILED', '2 RUNNING');
  });
});

describe('after a restart', () => {
  test('dead and living jobs are distinguished, and waiting ones start', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    await executor.tracker.stop();
    // it ends unseen, with a record; the other one goes on
    played.alive.delete(101);
    await record('a', '1');
    await restart();
    await seen('1 COMPLETED', '2 RUNNING', '3 RUNNING');
    expect(played.started).toEqual(['1', '2', '3']);
    expect(await executor.submit(request('d'))).toMatchObject({ kind: 'submitted', jobId: '4' });
  });

  test('a job that ended unobserved and without a record has failed', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await executor.tracker.stop();
    played.alive.delete(101);
    await restart();
    await seen('1 FAILED');
    expect(executor.tracker.row('1')?.reason).toBe('it left no exit status');
  });

  test.each([
    { what: 'is taken up where its process is there', alive: true, started: ['1'] },
    { what: 'is started where none is', alive: false, started: ['1', '1'] },
  ])('a job in whose start the worker died $what', async ({ alive, started }) => {
    played.freeze = true;
    await executor.submit(request('a'));
    await vi.waitFor(() => expect(played.started).toEqual(['1']));
    if (!alive) played.alive.clear();
    played.freeze = false;
    // the old one hangs in the middle of it, as a worker that is gone would
    const next = open();
    next.tracker.start();
    await vi.waitFor(() => expect(states(next)).toEqual(['1 RUNNING']), { timeout: 4_000 });
    expect(played.started).toEqual(started);
    await next.tracker.stop();
    executor = next;
  });

  test.each([
    { what: 'is ended where its process is there', alive: true, end: ['SIGTERM 101'] },
    { what: 'is never started where none is', alive: false, end: [] },
  ])('a canceled job in whose start the worker died $what', async ({ alive, end }) => {
    played.freeze = true;
    await executor.submit(request('a'));
    await vi.waitFor(() => expect(played.started).toEqual(['1']));
    if (!alive) played.alive.clear();
    played.freeze = false;
    const next = open();
    expect(await next.cancel(['1'])).toEqual({ ok: true, message: '' });
    next.tracker.start();
    const wanted = [alive ? '1 RUNNING' : '1 CANCELLED'];
    await vi.waitFor(() => expect(states(next)).toEqual(wanted), { timeout: 4_000 });
    expect(played.started).toEqual(['1']);
    expect(played.signals).toEqual(end);
    await next.tracker.stop();
    executor = next;
  });

  test('a job of another container is never signaled, does not block others, and ends by its record or a cancel', async () => {
    for (const key of ['a', 'b', 'c']) await executor.submit(request(key));
    await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
    await executor.tracker.stop();
    played.away = true;
    await restart();
    await seen('1 RUNNING', '2 RUNNING', '3 RUNNING');
    await troubled(/Running on another host or in another container: job 1, 2/);
    await record('a', '1');
    await seen('1 COMPLETED', '2 RUNNING', '3 RUNNING');
    await executor.cancel(['2']);
    await seen('1 COMPLETED', '2 RUNNING', '3 RUNNING');
    later = 31_000;
    await seen('1 COMPLETED', '2 CANCELLED', '3 RUNNING');
    expect(executor.tracker.row('2')?.reason).toMatch(/started on here and could not be reached/);
    expect(played.signals).toEqual([]);
  });
});

describe('a disk that is full', () => {
  test('refuses a job and leaves nothing behind', async () => {
    broken = { save: diskFull };
    expect(await executor.submit(request('a'))).toMatchObject({ kind: 'refused', cause: 'limit' });
    expect(await executor.find({ key: 'a', since: 0 })).toMatchObject({ kind: 'none' });
    broken = {};
    expect(await executor.submit(request('a'))).toMatchObject({ kind: 'submitted' });
    expect(await readdir(join(dir, 'local-jobs'))).toHaveLength(1);
  });

  test('is unclear about a job whose file could not be removed', async () => {
    const real = createSpool(join(dir, 'local-jobs'));
    broken = {
      // written after all, but that is not certain
      save: async (job) => real.save(job).then(diskFull),
      remove: diskFull,
    };
    expect(await executor.submit(request('a'))).toMatchObject({ kind: 'unclear' });
    broken = {};
    expect(await executor.find({ key: 'a', since: 0 })).toMatchObject({ kind: 'found', jobId: '1' });
  });

  test('does not fail a running job, and its end is recorded later', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    broken = { save: diskFull };
    played.alive.get(101)?.end({ code: 5, signal: null });
    await troubled(/no space left/);
    expect(states()).toEqual(['1 RUNNING']);
    broken = {};
    await seen('1 FAILED');
    expect(executor.tracker.row('1')?.exitCode).toEqual({ code: 5, signal: 0 });
  });

  test('right after a start leaves the process known', async () => {
    const real = createSpool(join(dir, 'local-jobs'));
    broken = { save: async (job) => (job.process === null ? real.save(job) : diskFull()) };
    await executor.submit(request('a'));
    await troubled(/no space left/);
    expect(states()).toEqual(['1 RUNNING']);
    broken = {};
    await executor.cancel(['1']);
    await signaled('SIGTERM 101');
    expect(played.started).toEqual(['1']);
  });
});

describe('the spool', () => {
  test('is readable by its owner only, and drops the arguments of ended jobs', async () => {
    await executor.submit(request('a'));
    // nothing of it is being written any more
    await seen('1 RUNNING');
    const directory = join(dir, 'local-jobs');
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, '1.json'))).mode & 0o777).toBe(0o600);
    await seen('1 RUNNING');
    played.alive.get(101)?.end({ code: 0, signal: null });
    await seen('1 COMPLETED');
    expect(await readFile(join(directory, '1.json'), 'utf8')).not.toContain('hidden');
  });

  test('ignores unknown files and removes temporary ones', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    // a copy: the executor goes on writing its own
    const directory = await mkdtemp(join(dir, 'copy-'));
    await copyFile(join(dir, 'local-jobs', '1.json'), join(directory, '1.json'));
    await writeFile(join(directory, '7.json'), '{"id": "7"}');
    await writeFile(join(directory, '.8.json.0a1b2c3d4e5f.tmp'), '{"id": "8", "env": {"SEC');
    await writeFile(join(directory, 'notes.txt'), 'mine');
    const { jobs, unreadable: strange } = await createSpool(directory).load();
    expect([jobs.map(({ id }: LocalJob) => id), strange]).toEqual([['1'], ['7']]);
    expect((await readdir(directory)).toSorted()).toEqual(['1.json', '7.json', 'notes.txt']);
  });

  test('with an unreadable file does not prove that a job is missing', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    await writeFile(join(dir, 'local-jobs', '7.json'), '{"id": "7"}');
    await restart();
    await troubled(/cannot be read: 7/);
    expect(await executor.find({ key: 'a', since: 0 })).toMatchObject({ kind: 'found' });
    expect(await executor.find({ key: 'b', since: 0 })).toMatchObject({ kind: 'silence' });
    const asked = { jobId: '7', key: 'b', exitRecord: join(dir, 'b.exit'), trustRecord: false };
    expect(await executor.resolveEnd(asked)).toMatchObject({ kind: 'unknown' });
    expect(await executor.submit(request('c'))).toMatchObject({ jobId: '8' });
  });

  test('that cannot be read is reported, and jobs are loaded once it can', async () => {
    await executor.submit(request('a'));
    await seen('1 RUNNING');
    broken = { load: diskFull };
    await restart();
    await troubled(/no space left/);
    expect(executor.tracker.view().at).toBeNull();
    expect(await executor.find({ key: 'a', since: 0 })).toMatchObject({ kind: 'silence' });
    expect(await executor.submit(request('b'))).toMatchObject({ kind: 'refused', cause: 'limit' });
    expect(await executor.cancel(['1'])).toMatchObject({ ok: false });
    broken = {};
    await seen('1 RUNNING');
  });
});

test('messages to the owner of the slide do not mention Slurm or a cluster', async () => {
  await executor.submit(request('a'));
  await executor.submit(request('b'));
  await executor.submit(request('c'));
  await seen('1 RUNNING', '2 RUNNING', '3 PENDING');
  const { owner } = executor;
  const [row] = executor.tracker.view().rows.slice(2);
  if (row === undefined) throw new Error('no job waits');
  expect(owner.waits(row)).toBe('The analysis waits for earlier ones to finish.');
  for (const base of ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'])
    expect(owner.state({ base, flags: [] })).not.toMatch(/cluster|Slurm/i);
});

test('a cancel takes effect at once, without another poll', async () => {
  await executor.submit(request('a'));
  await seen('1 RUNNING');
  await executor.tracker.stop();
  // as `runs cancel` does without a worker
  const offline = open();
  expect(await offline.cancel(['1'])).toMatchObject({ ok: true });
  expect(played.signals).toEqual(['SIGTERM 101']);
});

test('the exit record of another job is ignored', async () => {
  await executor.submit(request('a'));
  await seen('1 RUNNING');
  await record('a', '7', 0);
  played.alive.get(101)?.end({ code: 3, signal: null });
  await seen('1 FAILED');
  expect(executor.tracker.row('1')?.exitCode).toEqual({ code: 3, signal: 0 });
});

test('jobs are in submission order, also after a restart', async () => {
  for (let n = 1; n <= 11; n += 1) await executor.submit(request(`k${n}`));
  await restart();
  await vi.waitFor(() =>
    expect(executor.tracker.view().rows.map(({ id }) => Number(id))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ]),
  );
});
