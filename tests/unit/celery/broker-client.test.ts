import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import type { BrokerStatus } from '../../../src/celery/broker.js';
import { createBrokerClient, type BrokerOptions, type Connect } from '../../../src/celery/broker-client.js';

const idle = {
  revoke: () => {},
  active: () => [],
  activeCount: () => 0,
  reserved: () => [],
  scheduled: () => [],
  revoked: () => [],
  totals: () => ({}),
  concurrency: () => 1,
  ready: () => [],
  shutdown: null,
  registered: () => [],
};

/** A broker client whose sleeps are recorded; each one ends when the test calls `wake`. */
function createTrial(connect: Connect, change: Partial<BrokerOptions> = {}) {
  const statuses: BrokerStatus[] = [];
  const sleeps: { ms: number; wake: () => void }[] = [];
  const broker = createBrokerClient({
    url: 'amqp://dsa:hunter2@rabbit.example/',
    queues: ['celery'],
    prefetch: 2,
    nodeName: 'celery@test',
    onTask: async () => {},
    onRefused: async () => {},
    control: idle,
    events: { version: '1.2.3', heartbeats: true, taskEvents: false },
    forward: null,
    onStatus: (status) => statuses.push(status),
    log: silentLog(),
    clock: {
      now: () => 0,
      monotonic: () => 0,
      sleep: async (ms, signal) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        sleeps.push({ ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve());
        if (signal?.aborted) resolve();
        return promise;
      },
    },
    connect,
    ...change,
  });
  return { broker, statuses, sleeps };
}

const refusedPassword = new Error(
  'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused."',
);
const refusedPort = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

describe('the first connection', () => {
  test('fails permanently for an error that waiting cannot fix', async () => {
    const { broker, statuses } = createTrial(async () => Promise.reject(refusedPassword));
    await expect(broker.start()).rejects.toMatchObject({ code: 'broker', message: /refused the user "dsa"/ });
    expect(statuses).toHaveLength(1);
    expect(JSON.stringify(statuses)).not.toContain('hunter2');
    await broker.close();
    expect(broker.status().state).toBe('closed');
  });

  test('rejects an invalid URL at the start', async () => {
    const { broker } = createTrial(async () => Promise.reject(refusedPort), { url: 'rabbit' });
    await expect(broker.start()).rejects.toMatchObject({ code: 'broker' });
    await broker.close();
  });

  test('is retried with backoff while nothing listens, even after a later refusal', async () => {
    const errors = [refusedPort, refusedPort, refusedPort, refusedPassword, refusedPassword];
    const connect = vi.fn<Connect>(async () => Promise.reject(errors.shift() ?? refusedPort));
    const { broker, statuses, sleeps } = createTrial(connect);
    await broker.start();
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await vi.waitFor(() => expect(sleeps).toHaveLength(attempt));
      sleeps.at(-1)?.wake();
    }
    await vi.waitFor(() => expect(connect).toHaveBeenCalledTimes(6));
    expect(sleeps[4]?.ms).toBeGreaterThan((sleeps[0]?.ms ?? 0) * 4);
    expect(statuses.map(({ state }) => state)).toEqual(['connecting', 'connecting', 'connecting']);
    expect(statuses[0]?.problem).toContain('Nothing listens');
    expect(statuses[1]?.problem).toContain('refused the user');
    await broker.close();
    expect(broker.status().state).toBe('closed');
  });
});

test.each([['local'], ['celery'], ['amq.x']])('tasks cannot be forwarded to %s', (queue) => {
  const change = { forward: { queue, canRun: () => true } };
  expect(() => createTrial(async () => Promise.reject(refusedPort), change)).toThrow(/queue/i);
});

describe('a broker that forbids transient queues that are not exclusive', () => {
  test('gets an exclusive mailbox on the second connection', async () => {
    const mailboxes: unknown[] = [];
    const connect: Connect = async () => createConnection(mailboxes);
    const { broker, sleeps, statuses } = createTrial(connect);
    await broker.start();
    expect(broker.status()).toMatchObject({ state: 'connecting' });
    await vi.waitFor(() => expect(sleeps.some(({ ms }) => ms < 1_000)).toBe(true));
    sleeps.find(({ ms }) => ms < 1_000)?.wake();
    await vi.waitFor(() => expect(statuses.at(-1)).toMatchObject({ state: 'consuming', problem: null }));
    expect(mailboxes).toMatchObject([
      { name: 'celery@test.celery.pidbox', exclusive: undefined },
      { name: '', exclusive: true },
    ]);
    await broker.close();
  });
});

/** Behaves like RabbitMQ 4 with `transient_nonexcl_queues` denied: reply code 541, then it closes the connection. */
function createConnection(mailboxes: unknown[]): ChannelModel {
  const connection = new EventEmitter();
  const createChannel = async () =>
    Object.assign(new EventEmitter(), {
      assertExchange: async () => ({}),
      bindQueue: async () => ({}),
      prefetch: async () => ({}),
      cancel: async () => ({}),
      consume: async () => ({ consumerTag: 'tag' }),
      close: async () => undefined,
      assertQueue: async (name: string, options: { durable: boolean; exclusive?: boolean }) => {
        if (options.durable) return { queue: name, consumerCount: 0 };
        mailboxes.push({ name, exclusive: options.exclusive });
        if (options.exclusive === true) return { queue: 'amq.gen-1', consumerCount: 0 };
        const error = Object.assign(new Error('INTERNAL_ERROR - Feature is deprecated'), { code: 541 });
        connection.emit('error', error);
        connection.emit('close', error);
        throw new Error('Channel ended, no reply will be forthcoming');
      },
    });
  const close = async () => void connection.emit('close');
  return Object.assign(connection, { createChannel, close }) as unknown as ChannelModel;
}
