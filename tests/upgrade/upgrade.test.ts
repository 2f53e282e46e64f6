import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { openBench, type Bench } from '../support/bench.js';
import { expectStatus, status, statuses } from '../support/lab.js';
import { runProgram, startProgram, type Program } from '../support/program.js';
import { buildOlderVersion, olderVersions } from './older-versions.js';

/** With this variable, the journals that the older versions write replace those in tests/fixtures/journals. */
const writesFixtures = process.env['DSA_SLURM_WRITE_JOURNALS'] !== undefined;

let bench: Bench;
let journal: string;

beforeEach(async () => {
  bench = await openBench();
  journal = join(bench.stateDir, 'journal.jsonl');
});

afterEach(async () => {
  await bench.command('scontrol', ['update', 'NodeName=ALL', 'State=RESUME']);
  await bench.close();
});

const now = (job: GirderJob): GirderJob => bench.girder.job(job.id) ?? expect.fail();

const ticks = (job: GirderJob): number[] =>
  [
    ...now(job)
      .log.join('')
      .matchAll(/^tick (\d+)/gm),
  ].map((match) => Number(match[1]));

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

async function states(...jobs: GirderJob[]): Promise<string[]> {
  const found = await Promise.all(jobs.map(bench.slurmJobs));
  return found.map((each) => each.map(({ state }) => state).join());
}

/** `bench.quickFlags` without the settings that a version does not know. */
function flagsFor(lacks: readonly string[]): string[] {
  const pairs = bench.quickFlags.filter((flag) => flag !== '--set');
  return pairs
    .filter((pair) => !lacks.some((key) => pair.startsWith(`${key}=`)))
    .flatMap((pair) => ['--set', pair]);
}

async function publishLinger(seconds: number): Promise<{ job: GirderJob; output: () => Promise<string> }> {
  const results = bench.girder.addFolder(bench.girder.rootFolderId, 'results of Linger');
  const args = ['Linger', String(seconds), { output: 'late', toFolder: results.id }];
  const job = await bench.publish({ args, title: 'ends without a worker' });
  return { job, output: async () => bench.text(results.id, 'late') };
}

describe.each(olderVersions)('a worker with journal $journal ($name, $commit)', (version) => {
  let directory: string;
  let program: string;

  beforeEach(async () => {
    directory = await buildOlderVersion(version);
    program = join(directory, 'dist', 'cli', 'main.js');
    await copyFile(
      join(directory, 'templates', 'singularity.slurm'),
      bench.env['GIRDER_WORKER_SLURM_SUBMIT_SCRIPT'] ?? '',
    );
  });

  const older: Program[] = [];
  afterEach(async () => {
    for (const each of older.splice(0)) {
      each.signal('SIGKILL');
      await each.ended;
    }
  });

  function startOlder(): Program {
    const started = startProgram(['worker', ...bench.queueFlags, ...flagsFor(version.lacks)], {
      env: { ...bench.env, XDG_CACHE_HOME: join(bench.dir, 'older-cache') },
      copyTo: join(bench.dir, 'worker.log'),
      program,
    });
    older.push(started);
    return started;
  }

  test('is replaced while its jobs run: each has one end, its log once and its output once', async () => {
    // finished runs become snapshots when the older worker starts again
    const first = startOlder();
    const input = await bench.girder.addFile(
      bench.girder.rootFolderId,
      'slide é.svs',
      Buffer.from('content'),
    );
    const results = bench.girder.addFolder(bench.girder.rootFolderId, 'results of Copy');
    const copy = await bench.publish({
      args: ['Copy', { file: input.id, name: 'slide é.svs' }, { output: 'copy', toFolder: results.id }],
      title: 'succeeded',
    });
    const wrong = await bench.publish({ args: ['Fail'], title: 'failed' });
    expectStatus(await bench.ended(copy), status.success);
    expectStatus(await bench.ended(wrong), status.error);
    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);

    const second = startOlder();
    await bench.until(() => second.stderr().includes('consuming'));
    const beside = bench.start();
    expect(await beside.ended).toBe(1);
    expect(beside.stderr()).toContain(`A worker already runs for this profile: process ${second.pid} on `);
    const running = await bench.publish({ args: ['Wait', bench.gate('go')], title: 'running' });
    const stubborn = await bench.publish({ args: ['Stubborn'], title: 'canceling' });
    await bench.until(() => now(stubborn).log.join('').includes('waiting') && ticks(running).length > 3);
    const late = await publishLinger(3);
    await bench.until(async () => (await states(late.job)).join() === 'RUNNING');
    await bench.command('scontrol', ['update', 'NodeName=ALL', 'State=DRAIN', 'Reason=test']);
    const queued = await bench.publish({ args: ['Wait', bench.gate('go')], title: 'queued' });
    await bench.until(async () => (await states(queued)).join() === 'PENDING');
    // the journal has the job id once Girder's log names the job
    await bench.until(async () => {
      const text = await readFile(journal, 'utf8');
      return bench.girder
        .jobs()
        .every(({ celeryTaskId }) =>
          text.split('\n').some((line) => line.includes(celeryTaskId ?? '?') && /"jobId":"\d+"/.test(line)),
        );
    });
    await bench.girder.cancel(stubborn.id);
    await bench.until(async () => (await readFile(journal, 'utf8')).includes('"cancel-requested"'));
    const check = await runProgram(['upgrade', '--check', '--json'], bench.env);
    expect(check.code).toBe(0);
    expect(JSON.parse(check.stdout)).toMatchObject({
      // the first one had no socket, which tells the version
      running: { version: version.journal === 1 ? null : '0.1.0', pid: second.pid },
      journal: { version: version.journal, damagedLines: 0 },
      restart: { safe: true },
    });
    second.signal('SIGKILL');
    expect(await second.ended).toBe('SIGKILL');
    const left = await readFile(journal, 'utf8');
    expect(left.slice(0, left.indexOf('\n'))).toBe(`{"journal":"dsa-slurm","version":${version.journal}}`);
    if (writesFixtures) {
      const fixtures = new URL('../fixtures/journals/', import.meta.url);
      await mkdir(fixtures, { recursive: true });
      await writeFile(new URL(`journal-${version.journal}.jsonl`, fixtures), left);
    }
    const seen = ticks(running).length;
    await bench.until(async () => (await states(late.job)).join() === 'COMPLETED');

    const newer = bench.start();
    await bench.until(() => ticks(running).length > seen);
    await bench.command('scontrol', ['update', 'NodeName=ALL', 'State=RESUME']);
    await bench.until(() => ticks(queued).length > 0);
    await bench.openGate('go');
    for (const job of [running, queued, late.job]) {
      expectStatus(await bench.ended(job), status.success);
      expect(statuses(now(job))).toEqual([status.running, status.success]);
    }
    for (const job of [running, queued]) expect(ticks(job)).toEqual(oneTo(ticks(job).length));
    expect(await late.output()).toBe('late\n');
    expectStatus(await bench.ended(stubborn), status.canceled);
    expect(await bench.text(results.id, 'copy')).toBe('content');
    const jobs = await states(copy, wrong, running, queued, late.job, stubborn);
    expect(jobs).toEqual(['COMPLETED', 'FAILED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'CANCELLED']);
    const listed = await runProgram(['runs', 'list', '--json'], bench.env);
    const { runs } = JSON.parse(listed.stdout) as { runs: { title: string; outcome: string }[] };
    expect(Object.fromEntries(runs.map(({ title, outcome }) => [title, outcome]))).toEqual({
      succeeded: 'succeeded',
      failed: 'failed',
      running: 'succeeded',
      queued: 'succeeded',
      'ends without a worker': 'succeeded',
      canceling: 'canceled',
    });
    newer.signal('SIGTERM');
    expect(await newer.ended).toBe(0);
    expect(newer.stderr()).not.toContain('"level":50');
  });

  test('comes back: it refuses a newer journal, and starts once the runs are finished and the journal is away', async () => {
    const newer = bench.start();
    const job = await bench.publish({ args: ['Copy', '/etc/hostname', '/dev/null'] });
    expectStatus(await bench.ended(job), status.success);
    newer.signal('SIGTERM');
    expect(await newer.ended).toBe(0);
    const written = await readFile(journal, 'utf8');

    if (version.journal < 4) {
      // 0.1.0 has another kind of lock, and never starts where a newer worker was
      const locked = startOlder();
      expect(await locked.ended).toBe(1);
      expect(locked.stderr()).toContain('A worker already runs for this profile: another process.');
      await rm(join(bench.stateDir, 'worker.lock'), { recursive: true });
      const refused = startOlder();
      expect(await refused.ended).toBe(1);
      expect(refused.stderr()).toContain(`The journal ${journal} was written by a newer dsa-slurm.`);
      expect(await readFile(journal, 'utf8')).toBe(written);
      await rename(journal, `${journal}.newer`);
    }
    const back = startOlder();
    const next = await bench.publish({ args: ['Copy', '/etc/hostname', '/dev/null'] });
    expectStatus(await bench.ended(next), status.success);
    back.signal('SIGTERM');
    expect(await back.ended).toBe(0);

    // and forward again
    const again = bench.start();
    const last = await bench.publish({ args: ['Copy', '/etc/hostname', '/dev/null'] });
    expectStatus(await bench.ended(last), status.success);
    again.signal('SIGTERM');
    expect(await again.ended).toBe(0);
  });
});
