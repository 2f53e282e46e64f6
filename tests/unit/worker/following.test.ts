import { describe, expect, test } from 'vitest';

import { DsaSlurmError } from '../../../src/base/errors.js';
import { silentLog } from '../../../src/base/log.js';
import type { OutgoingMessage } from '../../../src/celery/broker.js';
import type { CreatedGirderJob } from '../../../src/girder/jobs/create-job.js';
import { GirderError } from '../../../src/girder/api/girder-error.js';
import { silentGirderJob } from '../../../src/girder/jobs/job.js';
import { openRunStore, type NewRunEvent } from '../../../src/worker/run-state/run-store.js';
import { isDecided } from '../../../src/worker/run-state/run-milestones.js';
import { publishFollowUps, refusedFollowUps } from '../../../src/worker/stages/publish-follow-ups.js';
import type { WorkerServices } from '../../../src/worker/worker-services.js';
import { createTestSetup, sendJson, startScriptedServer } from '../../support/scripted-http.js';
import { someTask } from '../../support/tasks.js';

const next = (task: string, queue = 'celery') => ({ task, args: [], kwargs: {}, options: { queue } });
const embed = {
  callbacks: [next('first'), next('second')],
  errbacks: [next('failed')],
  chain: null,
  chord: null,
};
const created = (id: string) => ({
  _id: id,
  jobInfoSpec: { method: 'PUT', url: `http://girder/api/v1/job/${id}`, reference: id, headers: {} },
});
const girderId = (count: number): string => String(count).padStart(24, '0');

const nothingFound = async (): Promise<null> => null;

/** A run that has ended, and a Girder that makes jobs. */
async function setUp(outcome: 'succeeded' | 'failed' | 'canceled', wanted: object = embed) {
  let made = 0;
  let lostAnswers = 0;
  const girder = await startScriptedServer((response) => {
    made += 1;
    if (lostAnswers > 0) {
      lostAnswers -= 1;
      response.destroy();
    } else sendJson(response, created(girderId(made)));
  });
  const setup = createTestSetup();
  const stop = new AbortController();
  const written: NewRunEvent[] = [];
  const journal = {
    append: async (_: string, event: NewRunEvent) => void written.push(event),
    appendSoon: () => undefined,
    compact: async () => undefined,
    probe: async () => undefined,
    bytes: () => 0,
    state: () => ({ path: '/journal', bytes: 0, synced: null }),
    close: async () => undefined,
  };
  const log = silentLog();
  const runStore = openRunStore(new Map(), journal, { clock: setup.clock, log, stopping: stop.signal });
  const task = someTask({
    headers: { girder_api_url: `${girder.origin}/api/v1`, girder_client_token: 'SECRET' },
    body: JSON.stringify([[], {}, wanted]),
    rootId: 'root',
  });
  await runStore.accept({ task, refusal: null });
  await runStore.record(task.id, { type: 'decided', outcome, reason: null });
  const published: OutgoingMessage[] = [];
  const messages: string[] = [];
  const searched: string[] = [];
  const troubles: (string | null)[] = [];
  let search: () => Promise<CreatedGirderJob | null> = nothingFound;
  let publish = async (message: OutgoingMessage): Promise<void> => void published.push(message);
  const services = {
    runStore,
    clock: setup.clock,
    log,
    girderSetup: () => setup,
    transferPatience: () => ({
      tokenExpiresAt: setup.clock.now() + 3 * 60 * 60_000,
      nonGirderMs: 60 * 60_000,
      onProblem: (problem: string | null) => void troubles.push(problem),
    }),
    searchGirderJob: async ({ taskId }: { taskId: string }) => {
      searched.push(taskId);
      return search();
    },
    publish: async (message: OutgoingMessage) => publish(message),
  } as unknown as WorkerServices;
  const context = {
    id: task.id,
    girderJob: { ...silentGirderJob(), log: (text: string) => void messages.push(text) },
    signal: stop.signal,
    stopping: stop.signal,
  };
  const run = () => {
    const found = runStore.get(task.id);
    if (found === undefined || !isDecided(found)) throw new Error('the run is gone');
    return found;
  };
  return {
    published,
    messages,
    written,
    run,
    stop,
    runStore,
    made: () => made,
    searched,
    troubles,
    loseAnswer: () => {
      lostAnswers += 1;
    },
    finds: (how: typeof search) => {
      search = how;
    },
    go: async () => publishFollowUps(context, run(), services),
    breakPublish: (how: typeof publish) => {
      publish = how;
    },
    async close() {
      await setup.connections.close();
      await girder.close();
    },
  };
}

const headersOf = (message: OutgoingMessage | undefined) =>
  message?.properties.headers as Record<string, unknown>;

describe('a follow-up task', () => {
  test('is published with its own Girder job, and journaled one by one', async () => {
    const site = await setUp('succeeded');
    const [group] = await site.go();
    expect(group?.[1]).toHaveLength(2);
    expect(site.published.map((message) => headersOf(message)['task'])).toEqual(['first', 'second']);
    expect(headersOf(site.published[1])).toMatchObject({
      root_id: 'root',
      parent_id: 'run-1',
      girder_client_token: 'SECRET',
      jobInfoSpec: { reference: girderId(2) },
    });
    expect(site.written.map(({ type }) => type).slice(2)).toEqual([
      'follow-up-asked',
      'follow-up-job',
      'follow-up-published',
      'follow-up-asked',
      'follow-up-job',
      'follow-up-published',
    ]);
    await site.close();
  });

  test('has the same task and Girder job after a crash before it was journaled', async () => {
    const site = await setUp('succeeded');
    site.breakPublish(async (message) => {
      site.published.push(message);
      if (site.published.length === 2) throw new Error('the worker dies');
    });
    await expect(site.go()).rejects.toThrow(/dies/);
    site.breakPublish(async (message) => void site.published.push(message));
    await site.go();
    const ids = site.published.map((message) => headersOf(message)['id']);
    expect(ids).toHaveLength(3);
    expect(ids[2]).toBe(ids[1]);
    expect(headersOf(site.published[2])['jobInfoSpec']).toEqual(headersOf(site.published[1])['jobInfoSpec']);
    expect(site.made()).toBe(2);
    await site.close();
  });

  test('reuses a Girder job that was created but not journaled before a crash', async () => {
    const site = await setUp('succeeded', { ...embed, callbacks: [next('first')] });
    await site.runStore.record(site.run().id, { type: 'follow-up-asked', place: 'link.0' });
    const job = { id: girderId(77), jobInfoSpec: created(girderId(77)).jobInfoSpec };
    let answers = 0;
    site.finds(async () => {
      answers += 1;
      if (answers === 1) throw new GirderError('Girder is away.', { kind: 'unreachable' });
      return job;
    });
    await site.go();
    const headers = headersOf(site.published[0]);
    expect(headers['jobInfoSpec']).toEqual(job.jobInfoSpec);
    expect(site.searched).toEqual([headers['id'], headers['id']]);
    expect(site.made()).toBe(0);
    await site.close();
  });

  test('reuses the Girder job whose creation was not answered', async () => {
    const site = await setUp('succeeded', { ...embed, callbacks: [next('first')] });
    site.loseAnswer();
    const job = { id: girderId(1), jobInfoSpec: created(girderId(1)).jobInfoSpec };
    site.finds(async () => job);
    await site.go();
    expect(headersOf(site.published[0])['jobInfoSpec']).toEqual(job.jobInfoSpec);
    expect(site.searched).toHaveLength(1);
    expect(site.made()).toBe(1);
    await site.close();
  });

  test('gets a Girder job even if Girder is down for hours', async () => {
    const site = await setUp('succeeded', { ...embed, callbacks: [next('first')] });
    for (let attempt = 0; attempt < 100; attempt += 1) site.loseAnswer();
    await site.go();
    expect(site.troubles[0]).toMatch(/could not be reached/);
    expect(site.troubles.at(-1)).toBeNull();
    expect(headersOf(site.published[0])['jobInfoSpec']).toMatchObject({ reference: girderId(101) });
    await site.close();
  });

  test('is published without a Girder job once its token has expired', async () => {
    const site = await setUp('succeeded', { ...embed, callbacks: [next('first')] });
    for (let attempt = 0; attempt < 300; attempt += 1) site.loseAnswer();
    await site.go();
    expect(site.published).toHaveLength(1);
    expect(headersOf(site.published[0])).not.toHaveProperty('jobInfoSpec');
    expect(site.troubles.at(-1)).toBeNull();
    await site.close();
  });

  test('gets a new Girder job if none exists, without a search at the first attempt', async () => {
    const site = await setUp('succeeded');
    await site.runStore.record(site.run().id, { type: 'follow-up-asked', place: 'link.1' });
    await site.go();
    expect(site.searched).toEqual([headersOf(site.published[1])['id']]);
    expect(site.made()).toBe(2);
    await site.close();
  });

  test('is its errback after a failure, and nothing after a cancel', async () => {
    const failed = await setUp('failed');
    expect(await failed.go()).toEqual([]);
    expect(failed.published.map((message) => headersOf(message)['task'])).toEqual(['failed']);
    expect(JSON.parse(failed.published[0]?.content.toString() ?? '')).toMatchObject([['run-1'], {}, {}]);
    await failed.close();
    const canceled = await setUp('canceled');
    expect(await canceled.go()).toEqual([]);
    expect(canceled.published).toEqual([]);
    await canceled.close();
  });

  test('that no queue accepts is reported in the Girder log, and the rest is published', async () => {
    const site = await setUp('succeeded');
    site.breakPublish(async (message) => {
      if (headersOf(message)['task'] === 'first') throw new DsaSlurmError('broker', 'No queue takes it.');
      site.published.push(message);
    });
    await site.go();
    expect(site.messages.join('')).toBe('No queue takes it.\n');
    expect(site.published).toHaveLength(1);
    expect(site.run().followUps.published).toHaveLength(2);
    await site.close();
  });

  test('is published at the next start if the worker stops', async () => {
    const site = await setUp('succeeded');
    site.breakPublish(async () => {
      site.stop.abort();
      site.stop.signal.throwIfAborted();
    });
    await expect(site.go()).rejects.toThrow(/abort/);
    expect(site.run().followUps.published).toEqual([]);
    await site.close();
  });

  test('that cannot be published is reported in advance, for any outcome', async () => {
    const site = await setUp('succeeded', {
      callbacks: [next('a', 'local')],
      errbacks: [7],
      chain: [next('good')],
      chord: null,
    });
    expect(refusedFollowUps(site.run().task)).toEqual([
      expect.stringMatching(/"local"/),
      expect.stringMatching(/link_error/),
    ]);
    await site.close();
  });
});
