import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import type { GirderJob } from '../../../src/sandbox/girder/index.js';
import type { RunView } from '../../../src/worker/handle.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => {
  lab.girder.fail();
  await lab.close();
});

async function runOf(job: GirderJob, wanted: (run: RunView) => boolean): Promise<RunView> {
  return lab.until(() => {
    const run = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === job.id);
    return run !== undefined && wanted(run) ? run : null;
  });
}

async function slurmState(jobId: string | null): Promise<string> {
  const shown = await lab.command('scontrol', ['show', 'job', jobId ?? '']);
  return shown.kind === 'exited' ? (/JobState=(\S+)/.exec(shown.stdout)?.[1] ?? '') : '';
}

const never = ['Wait', '/never'];

describe('a cancel', () => {
  test('in Girder, while the job runs: scancel, CANCELED, and no output', async () => {
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'canceled results');
    const published = await lab.publish({ args: [...never, { output: 'o', toFolder: results.id }] });
    const run = await runOf(published, ({ stage }) => stage === 'running');
    await lab.girder.cancel(published.id);
    const job = await lab.ended(published);
    expect(statuses(job)).toEqual([status.running, status.canceling, status.canceled]);
    expect(await slurmState(run.jobId)).toBe('CANCELLED');
    expect(lab.girder.items(results.id)).toEqual([]);
  });

  test('in Girder, while the job waits in the queue', async () => {
    // no node has the feature, but Slurm takes the job and lets it wait for its begin
    const published = await lab.publish({
      args: [...never, '--slurm_nodes', '4', '--slurm_cpus_per_task', '8'],
    });
    const blocker = await lab.publish({ args: never });
    const run = await runOf(published, ({ jobId }) => jobId !== null);
    await lab.girder.cancel(published.id);
    expectStatus(await lab.ended(published), status.canceled);
    expect(await slurmState(run.jobId)).toBe('CANCELLED');
    await lab.girder.cancel(blocker.id);
    await lab.ended(blocker);
  });

  test('in Girder, while inputs are fetched: no job is ever submitted', async () => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('x'));
    lab.girder.fail((_, path) =>
      path.startsWith(`file/${input.id}`)
        ? { kind: 'answer', status: 503, contentType: 'text/plain', body: '' }
        : undefined,
    );
    const published = await lab.publish({ args: ['Copy', { file: input.id, name: 'x' }, { output: 'o' }] });
    await runOf(published, ({ stage }) => stage === 'staging');
    await lab.girder.cancel(published.id);
    expectStatus(await lab.ended(published), status.canceled);
    lab.girder.fail();
    const run = await runOf(published, ({ stage }) => stage === 'finished');
    expect(run.jobId).toBeNull();
  });

  test('that was missed: the status of the Girder job tells it', async () => {
    await lab.worker.stop();
    const published = await lab.publish({ args: never });
    await lab.girder.cancel(published.id);
    await lab.startWorker();
    const run = await runOf(published, ({ stage }) => stage === 'finished');
    expect(run).toMatchObject({ outcome: 'canceled', jobId: null });
    expect(lab.girder.job(published.id)?.status).toBe(status.canceled);
  });

  test('of a task that comes after a restart: it is canceled once and never run', async () => {
    const taskId = randomUUID();
    await lab.producer.revoke([taskId]);
    await lab.until(async () =>
      (await readFile(join(lab.settings.dirs.state, 'revoked.txt'), 'utf8')).includes(taskId),
    );
    await lab.worker.stop();
    await lab.startWorker();
    const published = await lab.publish({ args: never, taskId });
    const run = await runOf(published, ({ stage }) => stage === 'finished');
    expect(run).toMatchObject({ id: taskId, outcome: 'canceled', jobId: null });
    const job = await lab.ended(published);
    expect(statuses(job).filter((each) => each === status.canceled)).toHaveLength(1);
  });

  test('that was missed while RabbitMQ was away, by a run that has nothing to report', async () => {
    const blocker = await lab.publish({ args: never });
    await runOf(blocker, ({ stage }) => stage === 'running');
    const published = await lab.publish({
      args: [...never, '--slurm_nodes', '4', '--slurm_cpus_per_task', '8'],
    });
    const run = await runOf(published, ({ stage }) => stage === 'queued');
    // as Girder's own cancel does it, but for the revoke, which RabbitMQ keeps for nobody
    const { url, headers } = lab.girder.jobInfoSpec(published);
    const body = new URLSearchParams({ status: String(status.canceling) });
    expect(await fetch(url, { method: 'PUT', headers, body })).toMatchObject({ status: 200 });
    await execa(inject('rabbitmqctl'), ['close_all_connections', 'test'], { env: inject('rabbitmqEnv') });
    expectStatus(await lab.ended(published), status.canceled);
    expect(await slurmState(run.jobId)).toBe('CANCELLED');
    await lab.girder.cancel(blocker.id);
    await lab.ended(blocker);
  });

  test('by the operator of the worker ends as CANCELED in Girder', async () => {
    const published = await lab.publish({ args: never });
    const run = await runOf(published, ({ stage }) => stage === 'running');
    expect(await lab.worker.handle.cancelRun(run.id)).toMatchObject({ ok: true });
    expectStatus(await lab.ended(published), status.canceled);
  });

  test('by scancel on the cluster ends as CANCELED in Girder, with the reason', async () => {
    const published = await lab.publish({ args: never });
    const run = await runOf(published, ({ stage }) => stage === 'running');
    await lab.command('scancel', [run.jobId ?? '']);
    const job = await lab.ended(published);
    expectStatus(job, status.canceled);
    expect(job.log.join('')).toContain('cancelled on the cluster');
  });
});
