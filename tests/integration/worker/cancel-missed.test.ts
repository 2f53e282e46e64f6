import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { never, openCancelBench, type CancelBench, type Cancelable } from '../../support/cancel-bench.js';
import { openLab, status, statuses, type Lab } from '../../support/lab.js';
import { testSite } from '../../support/test-site.js';

let lab: Lab;
let bench: CancelBench;

beforeAll(async () => {
  lab = await openLab();
  bench = await openCancelBench(lab);
});

afterAll(async () => {
  lab.girder.fail();
  await bench.close();
  await lab.close();
});

/** Girder's cancel without the revoke, which is not stored for workers that are down. */
async function cancelUnheard({ girderJob }: Cancelable): Promise<void> {
  const { url, headers } = lab.girder.jobInfoSpec(girderJob);
  const body = new URLSearchParams({ status: String(status.canceling) });
  expect(await fetch(url, { method: 'PUT', headers, body })).toMatchObject({ status: 200 });
}

/** The cells of the table that rabbitmqctl prints. */
async function ctl(...args: string[]): Promise<string[][]> {
  const { stdout } = await execa(testSite().rabbitmqctl, ['-q', ...args], { env: testSite().rabbitmqEnv });
  return stdout.split('\n').map((line) => line.split('\t'));
}

/** Closes the worker's connection on the broker; the worker reconnects. */
async function closeConnectionOfWorker(): Promise<void> {
  const consumers = await ctl('list_consumers', 'queue_name', 'channel_pid');
  const [, channel] = consumers.find(([queue]) => queue === lab.settings.broker.queues[0]) ?? [];
  const channels = await ctl('list_channels', 'pid', 'connection');
  const [, connection] = channels.find(([pid]) => pid === channel) ?? [];
  await ctl('close_connection', connection ?? 'none', 'test');
}

describe('a cancel that was missed', () => {
  test('while the worker was down, of a task that waited in RabbitMQ', async () => {
    await lab.worker.stop();
    const published = await bench.publish(never);
    await lab.girder.cancel(published.girderJob.id);
    await lab.startWorker();
    expect(statuses(await bench.expectCanceled(published))).toEqual([status.canceled]);
    expect(await bench.jobsOf(published)).toEqual([]);
  });

  test('while the worker was down, of a run that has its job', async () => {
    const published = await bench.publish(never);
    await bench.runOf(published, ({ stage }) => stage === 'running');
    await lab.worker.stop();
    await lab.girder.cancel(published.girderJob.id);
    await lab.startWorker();
    await bench.expectCanceled(published);
    expect(await bench.jobsOf(published)).toEqual([expect.stringMatching(/ CANCELLED$/)]);
  });

  test('known to Girder alone, which is down when the worker restarts', async () => {
    const published = await bench.publish(never);
    await bench.runOf(published, ({ stage }) => stage === 'running');
    await lab.worker.stop();
    lab.girder.fail(() => ({ kind: 'drop' }));
    await lab.startWorker();
    await lab.producer.revoke([published.id]);
    await lab.until(async () => (await bench.jobsOf(published)).some((line) => line.endsWith(' CANCELLED')));
    lab.girder.fail();
    await bench.expectCanceled(published);
  });

  test('of a task that is delivered only after a restart: it is canceled once and never run', async () => {
    const taskId = randomUUID();
    await lab.producer.revoke([taskId]);
    await lab.until(async () =>
      (await readFile(join(lab.settings.dirs.state, 'revoked.txt'), 'utf8')).includes(taskId),
    );
    await lab.worker.stop();
    await lab.startWorker();
    const published = await bench.publish(never, { taskId });
    expect(statuses(await bench.expectCanceled(published))).toEqual([status.canceled]);
    expect(await bench.jobsOf(published)).toEqual([]);
  });

  test('while RabbitMQ was down, of a run that has nothing to report', async () => {
    const blocker = await bench.publish(never);
    await bench.runOf(blocker, ({ stage }) => stage === 'running');
    const published = await bench.publish([...never, '--slurm_nodes', '4', '--slurm_cpus_per_task', '8']);
    const { jobId } = await bench.runOf(published, ({ stage }) => stage === 'queued');
    await lab.command('scontrol', ['hold', jobId ?? '']);
    // a held job has no expected start to report either: only a status check can find the cancel
    await lab.until(() => /is held/.test(lab.girder.job(published.girderJob.id)?.progress?.message ?? ''));
    await cancelUnheard(published);
    await closeConnectionOfWorker();
    await bench.expectCanceled(published);
    expect(await bench.jobsOf(published)).toEqual([expect.stringMatching(/ CANCELLED$/)]);
    await lab.girder.cancel(blocker.girderJob.id);
    await bench.expectCanceled(blocker);
  });
});
