import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../../src/base/log.js';
import {
  createEventPublisher,
  type EventPublisherOptions,
  type TaskEvent,
} from '../../../../src/celery/control/events.js';
import { createLamportClock } from '../../../../src/celery/control/lamport.js';
import { readFixture } from '../deliveries.js';

interface Published {
  exchange: string;
  key: string;
  body: unknown;
}

function createTrial(change: Partial<EventPublisherOptions> = {}) {
  const published: Published[] = [];
  const sleeps: { ms: number; wake: () => void }[] = [];
  let takesMore = true;
  const channel = Object.assign(new EventEmitter(), {
    assertExchange: async () => ({}),
    close: async () => {},
    publish: (exchange: string, key: string, content: Buffer) => {
      published.push({ exchange, key, body: JSON.parse(content.toString()) });
      return takesMore;
    },
  });
  const events = createEventPublisher({
    nodeName: 'celery@worker.example',
    version: '1.2.3',
    pid: 7988,
    target: { activeCount: () => 3, totals: () => ({ a: 2, b: 1 }) },
    lamport: createLamportClock(),
    clock: {
      now: () => 1_795_428_009_215,
      monotonic: () => 1_795_428_009_215,
      sleep: async (ms, signal) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        sleeps.push({ ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve());
        return promise;
      },
    },
    heartbeats: true,
    taskEvents: true,
    log: silentLog(),
    ...change,
  });
  const over = new AbortController();
  const connection = { createChannel: async () => channel } as unknown as ChannelModel;
  return {
    events,
    published,
    sleeps,
    channel,
    over,
    connect: async () => events.connect(connection, over.signal),
    setTakesMore: (value: boolean) => (takesMore = value),
  };
}

const types = (published: Published[]) =>
  published.flatMap(({ body }) => (body as { type?: string }).type ?? (body as unknown[]).length);

/** Task events only. */
const ofTasks = (published: Published[]) => published.filter(({ key }) => key === 'task.multi');

const started: TaskEvent = { type: 'task-started', uuid: 'a' };
/** The captured failure is that of an unknown task, the only kind without a traceback. */
const leftOut = ['traceback'];
const keysOf = (event: unknown) =>
  Object.keys(event as object)
    .filter((key) => !leftOut.includes(key))
    .sort();

describe.each(['events', 'events-celery56'])('the captured %s', (folder) => {
  test('worker events have the same fields', async () => {
    const { events, published, sleeps, connect } = createTrial();
    await connect();
    sleeps[0]?.wake();
    await vi.waitFor(() => expect(published).toHaveLength(2));
    await events.close();
    for (const [index, name] of ['online', 'heartbeat', 'offline'].entries()) {
      const captured = readFixture(folder, `worker-${name}.json`);
      expect(published[index]).toMatchObject({ exchange: captured.exchange, key: captured.routing_key });
      expect(keysOf(published[index]?.body)).toEqual(keysOf(JSON.parse(captured.body)));
    }
    expect(published[0]?.body).toMatchObject({
      freq: 2,
      processed: 3,
      timestamp: 1_795_428_009.215,
      clock: 1,
    });
    expect(sleeps[0]?.ms).toBe(2_000);
  });

  test('without heartbeats, sends neither online nor offline, and a heartbeat only on request', async () => {
    const { events, published, sleeps, connect } = createTrial({ heartbeats: false });
    await connect();
    expect(sleeps).toEqual([]);
    events.heartbeat();
    await events.close();
    expect(types(published)).toEqual(['worker-heartbeat']);
  });

  test.each<[string, TaskEvent]>([
    ['task-started.json', started],
    ['task-succeeded.json', { type: 'task-succeeded', uuid: 'a', result: 'None', runtime: 1.5 }],
    ['task-failed.json', { type: 'task-failed', uuid: 'a', exception: "RuntimeError('x')", traceback: '' }],
    [
      'task-revoked.json',
      { type: 'task-revoked', uuid: 'a', terminated: false, signum: null, expired: false },
    ],
    [
      'task-received.json',
      {
        type: 'task-received',
        uuid: 'a',
        name: 'n',
        args: '()',
        kwargs: '{}',
        root_id: null,
        parent_id: null,
        retries: 0,
        eta: null,
        expires: null,
      },
    ],
  ])('%s', async (name, event) => {
    const { events, published, connect } = createTrial({ heartbeats: false });
    await connect();
    events.task(event);
    await events.close();
    const captured = readFixture(folder, name);
    const [batch, ...more] = ofTasks(published);
    expect(batch).toMatchObject({ exchange: captured.exchange, key: captured.routing_key });
    expect(more).toEqual([]);
    const [ours] = (batch?.body ?? []) as unknown[];
    expect(keysOf(ours)).toEqual(keysOf((JSON.parse(captured.body) as unknown[])[0]));
  });
});

describe('task events', () => {
  test('are batched, and sent only while they are on', async () => {
    const { events, published, sleeps, connect } = createTrial({ heartbeats: false, taskEvents: false });
    await connect();
    events.task(started);
    expect(events.setTaskEvents(true)).toBe(true);
    expect(events.setTaskEvents(true)).toBe(false);
    events.task(started);
    events.task(started);
    expect(ofTasks(published)).toEqual([]);
    sleeps[0]?.wake();
    await vi.waitFor(() => expect(types(ofTasks(published))).toEqual([2]));
    expect(events.setTaskEvents(false)).toBe(true);
    events.task(started);
    await events.close();
    expect(types(ofTasks(published))).toEqual([2]);
  });

  test('are dropped while they cannot be sent, and never pile up', async () => {
    const { events, published, connect, channel, setTakesMore } = createTrial({ heartbeats: false });
    events.task(started);
    await connect();
    events.setBlocked(true);
    events.task(started);
    events.setBlocked(false);
    for (let count = 0; count < 1_500; count += 1) events.task(started);
    setTakesMore(false);
    events.setTaskEvents(false);
    expect(types(published)).toEqual([1_000]);

    events.setTaskEvents(true);
    events.task(started);
    events.heartbeat();
    expect(published).toHaveLength(1);
    channel.emit('drain');
    events.heartbeat();
    expect(published).toHaveLength(2);
    channel.emit('close');
    events.heartbeat();
    expect(published).toHaveLength(2);
  });
});

test('a broker that refuses the exchange disables events and nothing else', async () => {
  const trial = createTrial();
  trial.channel.assertExchange = async () => Promise.reject(new Error('PRECONDITION_FAILED'));
  await trial.connect();
  trial.events.task(started);
  trial.events.heartbeat();
  await trial.events.close();
  expect(trial.published).toEqual([]);
});
