import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import { silentLog } from '../../../../src/base/log.js';
import { createGirderConnections, type GirderConnections } from '../../../../src/girder/api/connections.js';
import { readAnalysis } from '../../../../src/girder/protocol/read-analysis.js';
import {
  startFakeGirder,
  type GirderJob,
  type FakeGirder,
} from '../../../../src/sandbox/fake-girder/index.js';
import { analysisMessage } from '../../../../src/sandbox/producer/message.js';
import { openRunStore, type RunStore } from '../../../../src/worker/run-state/run-store.js';
import { openJournal, type Journal } from '../../../../src/worker/run-state/journal.js';
import { openRetryMessages, type RetryMessages } from '../../../../src/worker/run-state/retry-messages.js';
import { createFinishedRunActions } from '../../../../src/worker/actions/finished-run-actions.js';
import { createRunRetries, type RunRetries } from '../../../../src/worker/actions/retry.js';
import { heldLease } from '../../../support/lease.js';
import { someTask } from '../../../support/tasks.js';

const log = silentLog();
let dir: string;
let girder: FakeGirder;
let connections: GirderConnections;
let firstJob: GirderJob;
let searched: string[];

beforeEach(async () => {
  searched = [];
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-retry-'));
  girder = await startFakeGirder({ dir: join(dir, 'girder'), revoke: async () => undefined });
  connections = createGirderConnections();
});

afterEach(async () => {
  await connections.close();
  await girder.stop();
  await rm(dir, { recursive: true });
});

interface Site {
  runStore: RunStore;
  journal: Journal;
  messages: RetryMessages;
  retries: RunRetries;
  begun: string[];
  /** As a worker that dies; what it was about to write is lost. */
  die(): Promise<void>;
}

/** A worker's parts on the state directory, as it is after a start. */
async function open({ limit = 10 } = {}): Promise<Site> {
  const stop = new AbortController();
  const { journal, runs } = await openJournal(join(dir, 'state'), log, heldLease);
  const runStore = openRunStore(runs, journal, { clock: systemClock, log, stopping: stop.signal });
  const messages = await openRetryMessages(join(dir, 'state'), {
    maxMs: 3_600_000,
    maxBytes: 1_000_000,
    now: Date.now,
    log,
  });
  const begun: string[] = [];
  const retries = createRunRetries({
    runStore,
    messages,
    girderSetup: () => ({ connections, apiUrlMap: {}, clock: systemClock, log }),
    searchGirderJob: async ({ taskId }) => {
      searched.push(taskId);
      const job = girder.jobs().find(({ celeryTaskId }) => celeryTaskId === taskId);
      return job === undefined ? null : { id: job.id, jobInfoSpec: girder.jobInfoSpec(job) };
    },
    limit,
    onRun: (id) => void begun.push(id),
    clock: systemClock,
    log,
    stopping: stop.signal,
  });
  const die = async (): Promise<void> => {
    stop.abort();
    await journal.close();
  };
  return { runStore, journal, messages, retries, begun, die };
}

/** A run that failed, with its message kept. */
async function failRun({ runStore, messages }: Site, id = 'first'): Promise<void> {
  firstJob = girder.createJob({ title: 'Cells', type: 'i#c', celeryTaskId: id });
  const message = analysisMessage(
    {
      spelling: 'docker',
      image: 'test/image:v1',
      title: 'Cells',
      taskId: id,
      args: ['Cells', { artifact: 'log.txt', onException: true, keptAt: girder.apiUrl }],
    },
    {
      apiUrl: girder.apiUrl,
      userId: girder.userId,
      userToken: () => girder.userToken,
      clientToken: girder.clientToken(),
    },
    { id: firstJob.id, jobInfoSpec: girder.jobInfoSpec(firstJob) },
  );
  const body = JSON.stringify([
    message.args,
    message.kwargs,
    { callbacks: null, errbacks: null, chain: null },
  ]);
  const task = someTask({ id, headers: message.headers, body, replyTo: 'somebody' });
  await runStore.accept({ task, refusal: null });
  await runStore.record(id, { type: 'described', description: { title: 'Cells', image: 'i', cli: 'c' } });
  await runStore.record(id, { type: 'decided', outcome: 'failed', reason: 'no tissue' });
  await messages.keep(task, Date.now() + 3_600_000);
  await runStore.record(id, { type: 'finished', told: true });
}

const newJobs = (): GirderJob[] => girder.jobs().filter(({ id }) => id !== firstJob.id);

describe('a retry', () => {
  test('is a new run with a new Girder job, whose result goes to nobody else', async () => {
    const site = await open();
    await failRun(site);
    const id = await site.retries.retry('first');
    const run = site.runStore.get(id);
    const [job] = newJobs();
    expect(job).toMatchObject({
      title: 'Cells (retry)',
      type: 'i#c',
      celeryTaskId: id,
      parentId: firstJob.id,
    });
    expect(run).toMatchObject({
      id,
      stage: 'accepted',
      retryOf: 'first',
      task: { id, replyTo: null, ignoreResult: true },
    });
    expect(run?.task.headers['jobInfoSpec']).toEqual(girder.jobInfoSpec(job as GirderJob));
    // what is kept with the Girder job is kept with the new one
    expect(readAnalysis(run?.task ?? someTask()).hooks).toMatchObject([
      { kind: 'jobArtifact', jobId: job?.id },
    ]);
    expect(site.begun).toEqual([id]);
    expect(searched).toEqual([]);
    expect(site.runStore.get('first')).toMatchObject({ outcome: 'failed', retry: { as: id, begun: true } });
    await site.die();
  });

  test('is one more in flight, and what had ended has ended once', async () => {
    const site = await open();
    await failRun(site);
    await site.runStore.record('first', {
      type: 'described',
      description: { title: 'Cells', user: 'alice' },
    });
    expect([site.runStore.inFlight(), site.runStore.finished()]).toEqual([
      0,
      { succeeded: 0, failed: 1, canceled: 0 },
    ]);
    const id = await site.retries.retry('first');
    expect([site.runStore.inFlight(), site.runStore.finished().failed]).toEqual([1, 1]);
    await site.runStore.record(id, { type: 'decided', outcome: 'failed', reason: 'no tissue' });
    await site.runStore.record(id, { type: 'finished', told: true });
    expect([site.runStore.inFlight(), site.runStore.finished().failed]).toEqual([0, 2]);
    await site.die();
  });

  test('that is requested twice, at once, later or after a restart, is one run', async () => {
    const site = await open();
    await failRun(site);
    const answers = await Promise.allSettled([site.retries.retry('first'), site.retries.retry('first')]);
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(site.retries.retry('first')).rejects.toThrow(/was already retried as run/);
    await site.die();
    const next = await open();
    await expect(next.retries.retry('first')).rejects.toThrow(/was already retried as run/);
    await next.retries.resume();
    expect(newJobs()).toHaveLength(1);
    expect([...next.runStore.all()]).toHaveLength(2);
    await next.die();
  });

  test('whose worker died after recording it is made by the next one, under the same id', async () => {
    const site = await open();
    await failRun(site);
    await site.runStore.record('first', { type: 'retrying', as: 'second' });
    await site.die();
    const next = await open();
    await next.retries.resume();
    expect(next.begun).toEqual(['second']);
    await next.retries.resume();
    expect(newJobs()).toHaveLength(1);
    await next.die();
  });

  test('whose worker died after Girder had made its job takes that job, which only a start looks for', async () => {
    const site = await open();
    await failRun(site);
    await site.runStore.record('first', { type: 'retrying', as: 'second' });
    const made = girder.createJob({ title: 'Cells (retry)', type: 'i#c', celeryTaskId: 'second' });
    await site.die();
    const next = await open();
    await next.retries.resume();
    expect(newJobs().map(({ id }) => id)).toEqual([made.id]);
    expect(next.runStore.get('second')?.task.headers['jobInfoSpec']).toEqual(girder.jobInfoSpec(made));
    expect(searched).toEqual(['second']);
    await next.die();
  });

  test('whose run is in the journal is not made again, also when that run was forgotten since', async () => {
    const site = await open();
    await failRun(site);
    await site.runStore.record('first', { type: 'retrying', as: 'second' });
    await site.runStore.accept({ task: someTask({ id: 'second' }), refusal: null, retryOf: 'first' });
    await site.die();
    const next = await open();
    await next.retries.resume();
    expect(next.begun).toEqual([]);
    await next.runStore.record('second', { type: 'decided', outcome: 'canceled', reason: null });
    await next.runStore.record('second', { type: 'finished', told: true });
    await next.runStore.forget('second');
    await next.die();
    const last = await open();
    await last.retries.resume();
    expect(last.begun).toEqual([]);
    expect([...last.runStore.all()].map(({ id }) => id)).toEqual(['first']);
    await last.die();
  });

  test.each([
    [
      'Girder has withdrawn the tokens',
      async () => girder.expireToken(girder.userToken),
      /no longer knows the tokens/,
    ],
    ['Girder is away', async () => girder.stop(), /tokens of this run cannot be checked/],
  ])('is refused with a reason when %s, and can be requested again', async (_, problem, words) => {
    const site = await open();
    await failRun(site);
    await problem();
    await expect(site.retries.retry('first')).rejects.toThrow(words);
    expect(site.runStore.get('first')?.retry).toBeNull();
    await site.die();
  });

  test('is refused for what succeeded, goes on, is unknown, or has no message', async () => {
    const site = await open({ limit: 2 });
    await failRun(site);
    await site.runStore.accept({ task: someTask({ id: 'going' }), refusal: null });
    await expect(site.retries.retry('going')).rejects.toThrow('Run going has not ended.');
    await expect(site.retries.retry('none')).rejects.toThrow('There is no run none.');
    await site.messages.remove('first');
    await expect(site.retries.retry('first')).rejects.toThrow(/is no longer available/);
    await site.runStore.accept({ task: someTask({ id: 'more' }), refusal: null });
    await expect(site.retries.retry('first')).rejects.toThrow(/the limit of runs in flight is reached/);
    await site.die();
  });
});

describe('to forget', () => {
  test('takes finished runs out of the journal and leaves those in flight', async () => {
    const site = await open();
    await failRun(site);
    await site.runStore.accept({ task: someTask({ id: 'going' }), refusal: null });
    const { forget } = createFinishedRunActions(site);
    expect(await forget(['first', 'going', 'none'])).toEqual({
      ok: false,
      message: 'There is no run none.\nRun going has not ended: cancel it first.\nRun first is forgotten.',
    });
    expect(await site.messages.read('first')).toBeNull();
    await site.die();
    const next = await open();
    expect([...next.runStore.all()].map(({ id }) => id)).toEqual(['going']);
    await next.die();
  });
});
