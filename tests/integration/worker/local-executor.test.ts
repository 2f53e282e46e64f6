import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab({
    'worker.executor': 'local',
    'worker.localJobs': 2,
    'slurm.userOptions': ['mem'],
  });
});

afterEach(async () => {
  await lab.close();
});

const never = { args: ['Wait', '/mnt/never'] };
const stages = (job: GirderJob): string[] =>
  lab.worker.handle
    .snapshot()
    .runs.filter(({ girderJobId }) => girderJobId === job.id)
    .map(({ stage }) => stage);

async function stageOf(job: GirderJob, stage: string): Promise<void> {
  await lab.until(() => stages(job).includes(stage));
}

function messageOf(job: GirderJob): string | undefined {
  return lab.girder.job(job.id)?.progress?.message;
}

function jobStates(): string[] {
  return lab.worker.handle.snapshot().jobs.rows.map(({ state }) => state.base);
}

function ticks(job: GirderJob): number[] {
  const log = lab.girder.job(job.id)?.log.join('') ?? '';
  return [...log.matchAll(/^tick (\d+)/gm)].map((match) => Number(match[1]));
}

describe('jobs on this host', () => {
  test('run the same container: input, log, progress and output work, and files are removed', async () => {
    const slide = await lab.girder.addFile(lab.girder.rootFolderId, 'slide é.txt', Buffer.from('tissue'));
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results');
    const job = await lab.ended(
      await lab.publish({
        args: [
          'Copy',
          { file: slide.id, name: 'slide é.txt' },
          { output: 'copy.txt', toFolder: results.id, mustExist: true },
          '--slurm_mem',
          '8G',
          // not open to users, but has no effect here: not a reason to fail
          '--slurm_qos=high',
        ],
      }),
    );
    expectStatus(job, status.success);
    expect(await lab.text(results.id, 'copy.txt')).toBe('tissue');
    const log = job.log.join('');
    expect(log).toContain('copying slide é.txt in /opt/test');
    expect(log).toContain('Ignored, because this worker runs jobs without Slurm: --slurm_mem, --slurm_qos');
    expect(job.progress).toMatchObject({ current: 0.5, message: 'copying' });
    expect(jobStates()).toEqual(['COMPLETED']);
    await lab.until(async () => (await readdir(lab.settings.dirs.tmp)).length === 0);
  });

  test('that fail report their exit code', async () => {
    const job = await lab.ended(await lab.publish({ args: ['Fail'] }));
    expectStatus(job, status.error);
    expect(job.log.join('')).toMatch(/\(local job 1, state FAILED, exit code 3\)/);
    const { runs } = lab.worker.handle.snapshot();
    const told = await lab.worker.handle.runDetail(runs[0]?.id ?? '');
    expect(told).toMatchObject({
      detail: { end: 'FAILED, exit code 3, according to this host', sbatch: null },
    });
    const killed = await lab.ended(await lab.publish({ args: ['Killed'] }));
    expectStatus(killed, status.error);
    expect(killed.log.join('')).toMatch(/\(local job 2, state FAILED, exit code 137\)/);
  });

  test('of a batch of six run two at a time', async () => {
    let most = 0;
    const stop = lab.worker.handle.subscribe(() => {
      most = Math.max(most, jobStates().filter((each) => each === 'RUNNING').length);
    });
    const jobs = await Promise.all(
      Array.from({ length: 6 }, async () => lab.publish({ args: ['Clock', '0.5'] })),
    );
    const spans = await Promise.all(
      jobs.map(async (published) => {
        const job = await lab.ended(published);
        expectStatus(job, status.success);
        const message = /from (\d+) to (\d+)/.exec(job.log.join(''));
        return { from: Number(message?.[1]), to: Number(message?.[2]) };
      }),
    );
    stop();
    expect(most).toBe(2);
    // recorded by the containers themselves
    for (const { from } of spans) {
      expect(spans.filter((each) => each.from <= from && from < each.to).length).toBeLessThanOrEqual(2);
    }
  });

  test('that ignore SIGTERM, and their leftover processes, are killed', async () => {
    // process ids in a container differ from those of this host
    const seconds = `${100_000 + process.pid}`;
    const job = await lab.publish({ args: ['Stray', seconds] });
    await lab.until(() => lab.girder.job(job.id)?.log.join('').includes('stray'));
    const isLeft = async (): Promise<boolean> => {
      const { stdout } = await execa('ps', ['-eo', 'stat=,args=']);
      return stdout.split('\n').some((line) => !line.startsWith('Z') && line.endsWith(`sleep ${seconds}`));
    };
    expect(await isLeft()).toBe(true);
    const { jobId } = await lab.until(() => lab.worker.handle.snapshot().runs.find((run) => run.jobId));
    expect(await lab.worker.handle.jobDetail(jobId ?? '')).toMatchObject({ problem: null });
    await lab.girder.cancel(job.id);
    expectStatus(await lab.ended(job), status.canceled);
    expect(await isLeft()).toBe(false);
  });

  test('are limited in number; waiting and running ones can be canceled', async () => {
    const jobs = await Promise.all(Array.from({ length: 4 }, async () => lab.publish(never)));
    await lab.until(
      () => jobStates().length === 4 && jobStates().filter((each) => each === 'RUNNING').length === 2,
    );
    expect(jobStates().filter((each) => each === 'PENDING')).toHaveLength(2);
    const waiting = jobs.find((job) => stages(job).includes('queued'));
    const running = jobs.find((job) => stages(job).includes('running'));
    if (waiting === undefined || running === undefined) throw new Error('no such run');
    // the message does not mention a cluster
    await lab.until(() => messageOf(waiting) === 'The analysis waits for earlier ones to finish.');
    await lab.girder.cancel(waiting.id);
    expectStatus(await lab.ended(waiting), status.canceled);
    // the others continue: nothing was started instead
    expect(jobStates().filter((each) => each === 'RUNNING')).toHaveLength(2);
    await lab.girder.cancel(running.id);
    const ended = await lab.ended(running);
    expect(statuses(ended)).toEqual([status.running, status.canceling, status.canceled]);
    await lab.until(() => jobStates().filter((each) => each === 'RUNNING').length === 2);
    await lab.until(() => jobs.some((job) => messageOf(job) === 'The analysis runs.'));
    for (const job of jobs) await lab.girder.cancel(job.id);
    for (const job of jobs) expectStatus(await lab.ended(job), status.canceled);
  });

  test('outlive the worker: one process, the whole log once, and waiting jobs still wait', async () => {
    const jobs = await Promise.all(Array.from({ length: 3 }, async () => lab.publish(never)));
    await lab.until(
      () => jobStates().length === 3 && jobStates().filter((each) => each === 'RUNNING').length === 2,
    );
    const [first] = jobs.filter((job) => stages(job).includes('running'));
    if (first === undefined) throw new Error('nothing runs');
    await lab.until(() => ticks(first).length > 5);
    await lab.worker.stop();
    const before = ticks(first).length;
    await lab.startWorker();
    await lab.until(() => ticks(first).length > before + 5);
    await lab.until(() => jobStates().length === 3);
    expect(jobStates().filter((each) => each === 'RUNNING')).toHaveLength(2);
    for (const job of jobs) await lab.girder.cancel(job.id);
    for (const job of jobs) expectStatus(await lab.ended(job), status.canceled);
    const seen = ticks(first);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    expect(await readdir(join(lab.settings.dirs.state, 'local-jobs'))).toHaveLength(3);
  });

  test('that end while no worker runs are found by their exit record', async () => {
    const gate = join(lab.dir, 'gate');
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results');
    const job = await lab.publish({
      args: ['Linger', '2', { output: 'late.txt', toFolder: results.id, mustExist: true }],
    });
    await stageOf(job, 'running');
    await lab.worker.stop();
    const run = [...(await readdir(lab.settings.dirs.logs ?? gate))];
    await lab.until(async () => (await readdir(lab.settings.dirs.logs ?? gate)).length > run.length);
    await lab.startWorker();
    expectStatus(await lab.ended(job), status.success);
    expect(await lab.text(results.id, 'late.txt')).toBe('late\n');
  });
});
