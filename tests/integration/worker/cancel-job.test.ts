import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { never, openCancelBench, type CancelBench } from '../../support/cancel-bench.js';
import { openLab, status, statuses, type Lab } from '../../support/lab.js';
import { sendJson, startScriptedServer } from '../../support/scripted-http.js';

let lab: Lab;
let bench: CancelBench;
let sink: Awaited<ReturnType<typeof startScriptedServer>>;

beforeAll(async () => {
  lab = await openLab();
  bench = await openCancelBench(lab);
  sink = await startScriptedServer((response) => sendJson(response, { _id: 'x' }));
});

afterAll(async () => {
  await bench.close();
  await lab.close();
  await sink.close();
});

const canceledJob = expect.stringMatching(/ CANCELLED$/) as string;

describe.concurrent('a cancel of a job', () => {
  test('that runs', async () => {
    const published = await bench.publish(never);
    await bench.runOf(published, ({ stage }) => stage === 'running');
    await lab.girder.cancel(published.girderJob.id);
    const job = await bench.expectCanceled(published);
    expect(statuses(job)).toEqual([status.running, status.canceling, status.canceled]);
    expect(await bench.jobsOf(published)).toEqual([canceledJob]);
  });

  test('that waits for resources, and of one that is held', async () => {
    // more than is free while the blocker runs, but not more than exists
    const large = ['--slurm_nodes', '4', '--slurm_cpus_per_task', '8'];
    const blocker = await bench.publish(never);
    await bench.runOf(blocker, ({ stage }) => stage === 'running');
    const pending = await bench.publish([...never, ...large]);
    const held = await bench.publish([...never, ...large]);
    await bench.runOf(pending, ({ stage }) => stage === 'queued');
    const { jobId } = await bench.runOf(held, ({ stage }) => stage === 'queued');
    await lab.command('scontrol', ['hold', jobId ?? '']);
    await bench.runOf(held, ({ reason }) => /held/i.test(reason ?? ''));
    for (const each of [pending, held]) {
      await lab.girder.cancel(each.girderJob.id);
      await bench.expectCanceled(each);
      expect(await bench.jobsOf(each)).toEqual([canceledJob]);
    }
    await lab.girder.cancel(blocker.girderJob.id);
    await bench.expectCanceled(blocker);
  });

  test('that ignores signals: Girder shows CANCELED only after its end', async () => {
    const published = await bench.publish(['Stubborn']);
    await lab.until(() => lab.girder.job(published.girderJob.id)?.log.join('').includes('waiting'));
    await lab.girder.cancel(published.girderJob.id);
    await lab.until(async () => (await bench.jobsOf(published)).some((line) => line.endsWith('COMPLETING')));
    expect(lab.girder.job(published.girderJob.id)?.status).toBe(status.canceling);
    // cancel again while the job is ending
    await lab.producer.revoke([published.id]);
    const job = await bench.expectCanceled(published);
    expect(job.log.join('')).toContain('asked to end');
    expect(await bench.jobsOf(published)).toEqual([canceledJob]);
  });

  test('with streams: no artifact is kept, and no partial stream looks complete', async () => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'in', Buffer.from('x\n'));
    const published = await bench.publish(
      [
        'Stream',
        { pipe: 'in', fromFile: input.id },
        { pipe: 'out', postTo: `${sink.origin}/half` },
        { pipe: 'log', toHost: 'StdOut' },
        { progressPipe: 'p' },
        '600',
        { artifact: 'out', onException: true, keptAt: `${sink.origin}/kept` },
      ],
      { spelling: 'dockerRun' },
    );
    await lab.until(() => lab.girder.job(published.girderJob.id)?.log.join('').includes('through a pipe'));
    await lab.girder.cancel(published.girderJob.id);
    await bench.expectCanceled(published);
    expect(sink.heard.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  test('by the operator of the worker', async () => {
    const published = await bench.publish(never);
    await bench.runOf(published, ({ stage }) => stage === 'running');
    expect(await lab.worker.handle.act({ kind: 'cancel', runs: [published.id], jobs: [] })).toMatchObject({
      ok: true,
    });
    await bench.expectCanceled(published);
  });

  test('by scancel on the cluster: the Girder log shows the reason', async () => {
    const published = await bench.publish(never);
    const { jobId } = await bench.runOf(published, ({ stage }) => stage === 'running');
    await lab.command('scancel', [jobId ?? '']);
    const job = await bench.expectCanceled(published, 'terminated');
    expect(job.log.join('')).toContain('canceled on the cluster');
  });
});

describe('a cancel of ten running runs by the operator', () => {
  test('is one request for all of them, and one scancel for each', async () => {
    const published = await Promise.all(Array.from({ length: 10 }, async () => bench.publish(never)));
    const runs = await Promise.all(
      published.map(async (each) => bench.runOf(each, ({ stage }) => stage === 'running')),
    );
    const ids = new Set(runs.map(({ jobId }) => jobId));
    const answer = await lab.worker.handle.act({ kind: 'cancel', runs: runs.map(({ id }) => id), jobs: [] });
    expect(answer).toMatchObject({ ok: true });
    for (const each of published) await bench.expectCanceled(each);
    const audit = await readFile(join(lab.settings.dirs.state, 'commands.jsonl'), 'utf8');
    const calls = audit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { command: string; args: string[]; begun?: boolean })
      .filter(({ command, args, begun }) => {
        return command === 'scancel' && begun === undefined && args.some((arg) => ids.has(arg));
      });
    const [first, ...rest] = calls.map(({ args }) => args);
    expect(first?.slice(0, 2)).toEqual(['--batch', '--signal=QUIT']);
    expect(first).toHaveLength(12);
    // each job is canceled once more after its analysis has ended
    expect(new Set(rest.flat())).toEqual(ids);
    expect(rest.flat()).toHaveLength(ids.size);
  });
});
