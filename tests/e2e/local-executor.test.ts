import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { openBench, type Bench } from '../support/bench.js';
import { expectStatus, status, statuses } from '../support/lab.js';
import { runProgram, type Environment, type Program } from '../support/program.js';

const slurmCommands = ['sbatch', 'scancel', 'scontrol', 'sinfo', 'squeue', 'sacct', 'sacctmgr', 'srun'];

let bench: Bench;
/** A host whose Slurm commands only record that they were called: none may be. */
let env: Environment;
let calls: string;

beforeEach(async () => {
  bench = await openBench();
  const directory = join(bench.dir, 'no-slurm');
  calls = join(bench.dir, 'slurm-calls');
  await mkdir(directory);
  for (const command of slurmCommands) {
    const path = join(directory, command);
    await writeFile(path, `#!/bin/sh\necho ${command} "$@" >>${calls}\nexit 1\n`);
    await chmod(path, 0o755);
  }
  env = { ...bench.env, SLURM_CONF: '/none', PATH: `${directory}:${bench.env['PATH']}` };
});

afterEach(async () => {
  await bench.close();
});

const flags = (): string[] => [
  ...bench.quickFlags,
  '--set',
  'worker.executor=local',
  '--set',
  'worker.localJobs=1',
];
const start = (): Program => bench.start(flags(), env);
const logOf = (job: GirderJob): string => (bench.girder.job(job.id) ?? job).log.join('');
const ticks = (job: GirderJob): number[] =>
  [...logOf(job).matchAll(/^tick (\d+)/gm)].map((match) => Number(match[1]));
const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('a host without Slurm', () => {
  test('a worker that is killed while one job runs and one waits loses neither, and runs each once', async () => {
    const first = start();
    const running = await bench.publish({ args: ['Wait', bench.gate('go')] });
    await bench.until(() => ticks(running).length > 3);
    const results = bench.girder.addFolder(bench.girder.rootFolderId, 'results');
    const waiting = await bench.publish({ args: ['Linger', '0', { output: 'o', toFolder: results.id }] });
    const spool = join(bench.stateDir, 'local-jobs');
    await bench.until(async () => readFile(join(spool, '2.json'), 'utf8').catch(() => false));
    first.signal('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');

    const before = ticks(running).length;
    const second = start();
    await bench.until(() => ticks(running).length > before + 3);
    expect(JSON.parse(await readFile(join(spool, '2.json'), 'utf8'))).toMatchObject({ startingAt: null });
    await bench.openGate('go');
    for (const job of [running, waiting]) {
      const ended = await bench.ended(job);
      expectStatus(ended, status.success);
      expect(statuses(ended)).toEqual([status.running, status.success]);
    }
    expect(ticks(running)).toEqual(oneTo(ticks(running).length));
    expect(logOf(running)).toContain(`ticks: ${ticks(running).length}`);
    expect(await bench.text(results.id, 'o')).toBe('late\n');
    expect(second.stderr()).not.toContain('"level":50');
    await expect(readFile(calls, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a job that ends while the worker is stopped is resumed with its exit code', async () => {
    const first = start();
    const job = await bench.publish({ args: ['Wait', bench.gate('go')] });
    await bench.until(() => ticks(job).length > 3);
    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);
    await bench.openGate('go');
    const { celeryTaskId } = job;
    const record = join(bench.settings.dirs.logs ?? '', `dsa-slurm-${celeryTaskId}.exit`);
    await bench.until(async () => readFile(record, 'utf8').catch(() => false));
    start();
    expectStatus(await bench.ended(job), status.success);
    expect(ticks(job)).toEqual(oneTo(ticks(job).length));
  });

  test('the doctor skips Slurm and says why', async () => {
    const { stdout } = await runProgram(
      ['doctor', '--json', '--deep', '--set', 'worker.executor=local'],
      env,
    );
    const { checks } = JSON.parse(stdout) as { checks: { id: string; status: string; evidence: string[] }[] };
    const slurm = checks.filter(({ id }) => id.startsWith('slurm.'));
    expect(slurm.length).toBeGreaterThan(5);
    for (const { status, evidence } of slurm) {
      expect(status).toBe('skip');
      expect(evidence).toEqual([expect.stringContaining('worker.executor')]);
    }
    await expect(readFile(calls, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
