import { randomUUID } from 'node:crypto';
import { createServer, connect as connectSocket, type AddressInfo, type Socket } from 'node:net';
import { connect } from '../../../src/celery/amqp/amqplib.js';
import { execa } from 'execa';
import { onTestFinished, vi } from 'vitest';
import { describeFailure } from '../../../src/base/command.js';
import { silentLog } from '../../../src/base/log.js';
import type { Broker, BrokerStatus, ControlTarget, Refusal } from '../../../src/celery/broker.js';
import { createBrokerClient, type BrokerOptions } from '../../../src/celery/broker-client.js';
import type { Task } from '../../../src/celery/messages/task.js';
import { runPython } from '../../support/python-forks.js';
import { testSite } from '../../support/test-site.js';

/** Runs a real Celery (Python) against the same RabbitMQ; see celery_client.py for the steps. */
export async function celery(
  steps: readonly ({ step: string } & Record<string, unknown>)[],
  url = testSite().amqpUrl,
): Promise<unknown[]> {
  const result = await runPython([`${import.meta.dirname}/celery_client.py`], JSON.stringify({ url, steps }));
  if (result.kind !== 'exited' || result.exitCode !== 0) throw new Error(describeFailure(result));
  return JSON.parse(result.stdout) as unknown[];
}

/** Runs `rabbitmqctl` of the test site. */
export async function rabbitmqctl(...args: string[]): Promise<string> {
  const { stdout } = await execa(testSite().rabbitmqctl, args, { env: testSite().rabbitmqEnv });
  return stdout;
}

/**
 * Every queue as `[name, durable, auto_delete, exclusive, arguments]`. RabbitMQ 4 lists the default type among the arguments
 * of queues that were declared without one; it is omitted here.
 */
export async function listQueues(): Promise<string[][]> {
  const columns = ['name', 'durable', 'auto_delete', 'exclusive', 'arguments'];
  const rows = (await rabbitmqctl('-q', 'list_queues', ...columns)).split('\n');
  return rows.map((row) => row.replace(/,?\{"x-queue-type","classic"\}/, '').split('\t'));
}

/** An AMQP channel of the test's own. */
export async function openChannel(url = testSite().amqpUrl) {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  onTestFinished(async () => connection.close());
  return channel;
}

export interface Trial {
  broker: Broker;
  queue: string;
  nodeName: string;
  tasks: Task[];
  refusals: Refusal[];
  statuses: BrokerStatus[];
  revokes: { ids: readonly string[]; terminate: boolean }[];
}

/** A broker client with its own queue and node name. It is closed and its queue deleted after the test. */
export function createTrial(
  change: Partial<BrokerOptions> & { target?: Partial<ControlTarget> } = {},
): Trial {
  const { target, ...options } = change;
  const queue = options.queues?.[0] ?? `test-${randomUUID()}`;
  const nodeName = `celery@${randomUUID()}`;
  const tasks: Task[] = [];
  const refusals: Refusal[] = [];
  const statuses: BrokerStatus[] = [];
  const revokes: Trial['revokes'] = [];
  const broker = createBrokerClient({
    url: testSite().amqpUrl,
    queues: [queue],
    prefetch: 4,
    nodeName,
    onTask: async (task) => void tasks.push(task),
    onRefused: async (refusal) => void refusals.push(refusal),
    onStatus: (status) => statuses.push(status),
    events: { version: '1.2.3', heartbeats: true, taskEvents: false },
    forward: null,
    log: silentLog(),
    ...options,
    control: {
      revoke: (ids, terminate) => void revokes.push({ ids, terminate }),
      active: () => [],
      activeCount: () => 0,
      reserved: () => [],
      scheduled: () => [],
      ready: () => [],
      revoked: () => revokes.flatMap(({ ids }) => ids),
      totals: () => ({ 'some.task': tasks.length }),
      concurrency: () => 10,
      registered: () => ['some.task'],
      shutdown: null,
      ...target,
    },
  });
  onTestFinished(async () => {
    await broker.close();
    const connection = await connect(testSite().amqpUrl);
    const channel = await connection.createChannel();
    await channel.deleteQueue(queue);
    await connection.close();
  });
  return { broker, queue, nodeName, tasks, refusals, statuses, revokes };
}

/** Polls until `check` stops throwing. */
export async function until(check: () => unknown, timeout = 20_000): Promise<void> {
  await vi.waitFor(check, { timeout, interval: 50 });
}

/** A TCP proxy to RabbitMQ that can be cut; it refuses connections while it is `down`. */
export async function createWire() {
  const target = new URL(testSite().amqpUrl);
  const sockets = new Set<Socket>();
  let down = false;
  const server = createServer((socket) => {
    if (down) {
      socket.resetAndDestroy();
      return;
    }
    const upstream = connectSocket(Number(target.port), target.hostname);
    for (const [end, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => {
        sockets.delete(end);
        other.destroy();
      });
      end.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  const cut = () => sockets.forEach((socket) => socket.destroy());
  onTestFinished(() => {
    cut();
    server.close();
  });
  return {
    url: url.href,
    /** Closes all connections; new ones are accepted. */
    cut,
    setDown(value: boolean) {
      down = value;
      if (value) cut();
    },
  };
}
