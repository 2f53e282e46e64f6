import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { openBench, submitScripts, type Bench } from '../support/bench.js';
import { expectStatus, status, statuses } from '../support/lab.js';
import { runProgram } from '../support/program.js';
import { testSite } from '../support/test-site.js';

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await bench.close();
});

/** A `Copy` with its own input and output. */
async function publishCopy(name: string): Promise<{ job: GirderJob; output: () => Promise<string> }> {
  const { girder } = bench;
  const input = await girder.addFile(girder.rootFolderId, name, Buffer.from(`content of ${name}`));
  const results = girder.addFolder(girder.rootFolderId, `results of ${name}`);
  const args = ['Copy', { file: input.id, name }, { output: 'copy', toFolder: results.id }];
  return {
    job: await bench.publish({ args, title: name }),
    // fails unless there is exactly one
    output: async () => bench.text(results.id, 'copy'),
  };
}

const logOf = (job: GirderJob): string => (bench.girder.job(job.id) ?? job).log.join('');

const ticks = (job: GirderJob): number[] =>
  [...logOf(job).matchAll(/^tick (\d+)/gm)].map((match) => Number(match[1]));

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** All files in a directory and below, with their permissions. */
async function files(directory: string): Promise<{ path: string; mode: number }[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(paths.map(async (path) => ({ path, mode: (await stat(path)).mode & 0o777 })));
}

async function stateOf(job: GirderJob): Promise<string> {
  const jobs = await bench.slurmJobs(job);
  expect(jobs).toHaveLength(1);
  return jobs[0]?.state ?? '';
}

/** A run ends with its exit record, a moment before Slurm shows the end of its job. */
async function completes(job: GirderJob): Promise<void> {
  await bench.until(async () => (await stateOf(job)) === 'COMPLETED');
}

describe('configured by the names of the old run.sh', () => {
  test.each([
    // only the old variable names, as in existing deployments
    { script: 'classic', flags: [] },
    { script: 'ours', flags: ['--set', 'slurm.pollSeconds=1'] },
  ])('a batch goes well with the submit script: $script', async ({ script, flags }) => {
    if (script === 'classic') {
      await writeFile(bench.env['GIRDER_WORKER_SLURM_SUBMIT_SCRIPT'] ?? '', submitScripts.classic);
    }
    const worker = bench.start(flags);
    const { girder } = bench;
    const copies = await Promise.all(oneTo(6).map(async (each) => publishCopy(`slide é漢 (${each}).svs`)));
    const wrong = await bench.publish({ args: ['Fail'] });
    const results = girder.addFolder(girder.rootFolderId, 'results of show');
    const odd = [`it's "quoted" $HOME ; x`, '', '*'];
    const show = await bench.publish({ args: ['Show', { output: 'o', toFolder: results.id }, ...odd] });

    for (const { job, output } of copies) {
      const ended = await bench.ended(job);
      expectStatus(ended, status.success);
      expect(statuses(ended)).toEqual([status.running, status.success]);
      expect(logOf(ended)).toContain(`copying ${job.title}`);
      expect(await output()).toBe(`content of ${job.title}`);
    }
    expect((await bench.ended(wrong)).status).toBe(status.error);
    expect(logOf(wrong)).toContain('the slide has no tissue');
    expectStatus(await bench.ended(show), status.success);
    expect((await bench.text(results.id, 'o')).split('\n')).toEqual([...odd, '']);

    worker.signal('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect(await readdir(bench.settings.dirs.tmp)).toEqual([]);
  });
});

describe('stopped and started again', () => {
  test('SIGTERM: it exits at once, the Slurm job continues, the next worker resumes it', async () => {
    const first = bench.start();
    const job = await bench.publish({ args: ['Wait', bench.gate('go')] });
    await bench.until(() => ticks(job).length > 3);
    const asked = performance.now();
    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(await stateOf(job)).toBe('RUNNING');
    const before = ticks(job).length;

    const second = bench.start();
    await bench.until(() => ticks(job).length > before);
    await bench.openGate('go');
    expectStatus(await bench.ended(job), status.success);
    expect(statuses(bench.girder.job(job.id) ?? job)).toEqual([status.running, status.success]);
    expect(ticks(job)).toEqual(oneTo(ticks(job).length));
    expect(logOf(job)).toContain(`ticks: ${ticks(job).length}`);
    await completes(job);
    expect(second.stderr()).not.toContain('"level":50');
  });

  test('SIGKILL, three times during a batch: each run has one Slurm job, one outcome and its output once', async () => {
    const killed = async (seen: () => boolean | Promise<boolean>): Promise<void> => {
      const worker = bench.start();
      await bench.until(seen);
      worker.signal('SIGKILL');
      expect(await worker.ended).toBe('SIGKILL');
    };
    const waits = await Promise.all(
      oneTo(3).map(async () => bench.publish({ args: ['Wait', bench.gate('go')] })),
    );
    const copies = await Promise.all(oneTo(6).map(async (each) => publishCopy(`slide ${each}`)));
    const jobs = [...waits, ...copies.map(({ job }) => job)];
    const now = (): GirderJob[] => jobs.map(({ id }) => bench.girder.job(id) ?? expect.fail());

    await killed(() => now().some((job) => job.status === status.running));
    await killed(async () => (await Promise.all(jobs.map(bench.slurmJobs))).flat().length > 3);
    await killed(() => now().some((job) => job.status === status.success));
    bench.start();
    await bench.until(() => waits.every((job) => ticks(job).length > 0));
    await bench.openGate('go');

    for (const { id } of jobs) {
      const job = await bench.ended({ ...(bench.girder.job(id) ?? expect.fail()) }, 90_000);
      expectStatus(job, status.success);
      expect(statuses(job)).toEqual([status.running, status.success]);
      await completes(job);
    }
    for (const { job, output } of copies) {
      expect(await output()).toBe(`content of ${job.title}`);
      expect(logOf(job).split('done: é漢🔬')).toHaveLength(2);
    }
    for (const job of waits) expect(ticks(job)).toEqual(oneTo(ticks(job).length));
  });

  test('a killed worker is replaced at once; a living one is not', async () => {
    const first = bench.start();
    await bench.until(() => first.stderr().includes('consuming'));
    const second = bench.start();
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toContain(`A worker already runs for this profile: process ${first.pid} on `);
    first.signal('SIGKILL');
    await first.ended;
    const killed = performance.now();
    const third = bench.start();
    await bench.until(() => third.stderr().includes('consuming'));
    expect(performance.now() - killed).toBeLessThan(10_000);
  });
});

describe('a start that fails reports the reason', () => {
  test('a wrong password', async () => {
    const url = new URL(testSite().amqpUrl);
    url.password = 'not-the-password';
    const worker = bench.start([], { GIRDER_WORKER_BROKER: url.href });
    expect([1, 2]).toContain(await worker.ended);
    expect(worker.stderr()).toMatch(/RabbitMQ .*refuse/);
    expect(worker.stderr()).not.toContain('not-the-password');
  });

  test('directories that cannot be used, all of them at once', async () => {
    const file = join(bench.dir, 'a file');
    await writeFile(file, '');
    const worker = bench.start([], {
      TMP: join(file, 'tmp'),
      LOGS: join(file, 'logs'),
      SIF_IMAGE_PATH: undefined,
    });
    expect(await worker.ended).toBe(2);
    for (const name of ['TMP', 'LOGS', 'SIF_IMAGE_PATH']) expect(worker.stderr()).toContain(`(${name})`);
    expect(worker.stderr()).toContain(join(file, 'logs'));
  });

  test('a missing submit script', async () => {
    const worker = bench.start([], { GIRDER_WORKER_SLURM_SUBMIT_SCRIPT: join(bench.dir, 'nothing') });
    expect(await worker.ended).toBe(2);
    expect(worker.stderr()).toContain(`The submit script ${join(bench.dir, 'nothing')} cannot be read.`);
  });
});

/** Wraps Slurm's commands and records their arguments and environment. */
async function watchCommands(): Promise<{ path: string; seen: () => Promise<string> }> {
  const directory = join(bench.dir, 'between');
  const record = join(bench.dir, 'commands');
  await mkdir(directory);
  for (const name of ['sbatch', 'squeue', 'scontrol', 'scancel', 'sacct']) {
    const script = [
      '#!/bin/sh',
      `{ echo "== ${name} $*"; env; } >>'${record}'`,
      'PATH=${PATH#*:}',
      `exec ${name} "$@"`,
      '',
    ].join('\n');
    await writeFile(join(directory, name), script, { mode: 0o755 });
  }
  return {
    path: `${directory}:${bench.env['PATH']}`,
    seen: async () => readFile(record, 'utf8'),
  };
}

/** Files of the state directory that contain tokens by design, readable by their owner only. */
const mayHoldTokens = /journal\.jsonl|\/messages\/|worker\.socket\.json/;

/** Collects the command lines of all processes of this machine, repeatedly. */
function watchProcesses(): { stop(): string } {
  const seen = new Set<string>();
  const look = (): void => {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      try {
        seen.add(readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // it has ended
      }
    }
  };
  const timer = setInterval(look, 50);
  return {
    stop() {
      clearInterval(timer);
      return [...seen].join('\n');
    },
  };
}

describe('no token or password is visible to others', () => {
  test('while runs are active, fail and are canceled, and afterwards', async () => {
    const commands = await watchCommands();
    const apiKey = 'Kq7'.repeat(14).slice(0, 40);
    const env = { ...bench.env, PATH: commands.path, DSA_SLURM_GIRDER_API_KEY: apiKey };
    const worker = bench.start([...bench.quickFlags, '--log-level', 'trace'], env);
    const processes = watchProcesses();
    const { girder, settings, stateDir } = bench;
    const input = await girder.addFile(girder.rootFolderId, 'x', Buffer.from('x'));
    const going = await bench.publish({
      args: ['Wait', bench.gate('go'), { file: input.id, name: 'x' }, { apiUrl: true }, { token: true }],
    });
    const canceled = await bench.publish({ args: ['Wait', bench.gate('never'), { token: true }] });
    const failing = await bench.publish({ args: ['Fail', { token: true }] });
    const noImage = await bench.publish({ image: 'no/such:v1', args: ['Wait', { token: true }] });
    await bench.until(() => ticks(going).length > 1 && ticks(canceled).length > 1);

    const jobTokens = [going, canceled, failing, noImage].map(({ token }) => token);
    const ownSecrets = [new URL(testSite().amqpUrl).password, apiKey, ...jobTokens];
    const secrets = [girder.userToken, ...ownSecrets];
    const expectClean = (what: string, text: string, without = secrets): void => {
      expect(text, what).not.toBe('');
      for (const secret of without) expect(text.includes(secret), `a secret in ${what}`).toBe(false);
    };
    const expectAnswersClean = async (): Promise<void> => {
      const ids = [going, canceled, failing, noImage].map(({ celeryTaskId }) => celeryTaskId ?? '');
      const calls = [['list'], ['list', '--json'], ...ids.map((id) => ['show', id, '--json'])];
      for (const args of [...calls.map((call) => ['runs', ...call]), ['config', 'show', '--json']]) {
        const { code, stdout, stderr } = await runProgram(args, env);
        expect(code, args.join(' ')).toBe(0);
        expectClean(args.join(' '), stdout + stderr);
      }
    };
    expectClean('the command line', await readFile(`/proc/${worker.pid}/cmdline`, 'utf8'));
    const slurmJobId = (await bench.slurmJobs(going))[0]?.id ?? '';
    for (const args of [
      ['show', 'job', '--details', slurmJobId],
      ['write', 'batch_script', slurmJobId, '-'],
    ]) {
      const answer = await bench.command('scontrol', args);
      expect(answer).toMatchObject({ kind: 'exited', exitCode: 0 });
      expectClean(`scontrol ${args.join(' ')}`, JSON.stringify(answer));
    }

    // the journal contains the tokens of active runs
    const journal = join(stateDir, 'journal.jsonl');
    expect(await readFile(journal, 'utf8')).toContain(jobTokens[0]);
    expect((await stat(stateDir)).mode & 0o077).toBe(0);
    // the exit record is written by the job and contains no secrets
    const logs = (await files(settings.dirs.logs ?? '')).filter(({ path }) => path.endsWith('.log'));
    const found = [...(await files(stateDir)), ...logs];
    expect(found.length).toBeGreaterThan(3);
    expect(found.filter(({ mode }) => (mode & 0o077) !== 0)).toEqual([]);
    const inputs = await readdir(settings.dirs.tmp);
    expect(inputs.length).toBeGreaterThan(0);
    for (const name of inputs) expect((await stat(join(settings.dirs.tmp, name))).mode & 0o077).toBe(0);

    await expectAnswersClean();
    await girder.cancel(canceled.id);
    await bench.openGate('go');
    expectStatus(await bench.ended(going), status.success);
    expectStatus(await bench.ended(canceled), status.canceled);
    expectStatus(await bench.ended(failing), status.error);
    expectStatus(await bench.ended(noImage), status.error);
    await bench.until(() => worker.stderr().split('"msg":"finished"').length === 5);
    worker.signal('SIGTERM');
    expect(await worker.ended).toBe(0);

    await expectAnswersClean();
    // inside the container the CLI gets the user's token as an argument; our secrets are on no command line
    expectClean('the command lines of all processes', processes.stop(), ownSecrets);
    const written = (await files(bench.dir)).filter(({ path }) => path.startsWith(stateDir));
    expect(written.filter(({ mode }) => (mode & 0o077) !== 0)).toEqual([]);
    for (const { path } of written) {
      if (!mayHoldTokens.test(path)) expectClean(path, `${path}: ${await readFile(path, 'utf8')}`);
    }
    const audit = await readFile(join(stateDir, 'commands.jsonl'), 'utf8');
    for (const command of ['sbatch', 'scancel', 'squeue']) expect(audit).toContain(`"command":"${command}"`);
    expectClean("the worker's log", worker.stderr());
    const seen = await commands.seen();
    expect(seen).toContain('== scancel');
    expectClean("Slurm's commands and their environment", seen);
    for (const job of [going, canceled, failing, noImage]) expectClean('a Girder log', logOf(job));
    for (const { path } of await files(settings.dirs.logs ?? '')) {
      expectClean(path, `${path}: ${await readFile(path, 'utf8')}`);
    }
    // the next start compacts the journal: finished runs keep no token
    const next = bench.start();
    await bench.until(() => next.stderr().includes('consuming'));
    expectClean('the journal', await readFile(journal, 'utf8'));
  });
});
