import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { readFieldTable } from '../../../src/celery/amqp/read-field-table.js';
import type { Delivery, Refusal } from '../../../src/celery/messages/read-task.js';
import { createDeliveryHandler, type DeliveryHandlerOptions } from '../../../src/celery/delivery-handler.js';
import type { Task } from '../../../src/celery/messages/task.js';
import { taskDelivery } from './deliveries.js';

function createTestHandler(change: Partial<DeliveryHandlerOptions> = {}) {
  const slept: number[] = [];
  const tasks: Task[] = [];
  const refusals: Refusal[] = [];
  const parked: string[] = [];
  const handler = createDeliveryHandler({
    onTask: async (task) => void tasks.push(task),
    onRefused: async (refusal) => void refusals.push(refusal),
    forward: null,
    clock: { now: () => 0, monotonic: () => 0, sleep: async (ms) => void slept.push(ms) },
    log: silentLog(),
    ...change,
  });
  const settle = async (delivery: Delivery, queue: string, signal: AbortSignal) =>
    handler(delivery, queue, signal, () => void parked.push(queue));
  return { settle, parked, slept, tasks, refusals };
}

const { signal } = new AbortController();
const pickled = (headers: Record<string, unknown>) =>
  taskDelivery({
    properties: { contentType: 'application/x-python-serialize', headers: { id: 'x', ...headers } },
  });
const bad = taskDelivery({ headers: { task: undefined } });

describe('createDeliveryHandler', () => {
  test('acknowledges a task and drops a refused message', async () => {
    const { settle, tasks, refusals, slept } = createTestHandler();
    expect(await settle(taskDelivery(), 'gpu', signal)).toBe('ack');
    expect(await settle(bad, 'gpu', signal)).toBe('reject');
    expect(tasks).toMatchObject([{ queue: 'gpu', name: 'some.task' }]);
    expect(refusals).toMatchObject([{ queue: 'gpu', name: null }]);
    expect(slept).toEqual([]);
  });

  test('acknowledges a forwarded task, and requeues it if the queue does not accept it', async () => {
    let isAccepted = true;
    const forwarded: unknown[] = [];
    const { settle, parked, tasks, slept } = createTestHandler({
      forward: async (task, delivery, _signal, park) => {
        if (task.name !== 'some.task') return false;
        if (!isAccepted) {
          park();
          throw new Error('No queue accepts it.');
        }
        forwarded.push(delivery);
        return true;
      },
    });
    const delivery = taskDelivery();
    expect(await settle(delivery, 'celery', signal)).toBe('ack');
    expect(forwarded).toEqual([delivery]);
    expect(await settle(taskDelivery({ headers: { task: 'ours' } }), 'celery', signal)).toBe('ack');
    expect(tasks).toMatchObject([{ name: 'ours' }]);
    expect(parked).toEqual([]);
    isAccepted = false;
    expect(await settle(delivery, 'celery', signal)).toBe('requeue');
    expect(parked).toEqual(['celery']);
    expect(slept).toHaveLength(1);
    expect(tasks).toHaveLength(1);
  });

  test('forwards an undecodable message if its headers are complete and name a task of another worker', async () => {
    const forwarded: string[] = [];
    const { settle, refusals } = createTestHandler({
      forward: async ({ id, name }) => name !== 'ours' && forwarded.push(`${name} ${id}`) > 0,
    });
    expect(await settle(pickled({ task: 'theirs' }), 'celery', signal)).toBe('ack');
    expect(await settle(pickled({ task: 'ours' }), 'celery', signal)).toBe('reject');
    expect(await settle(pickled({}), 'celery', signal)).toBe('reject');
    // two valid fields and one of an unknown type
    const headers = readFieldTable(Buffer.from('026964530000000178047461736b530000000161015a5a', 'hex'));
    expect(headers).toEqual({ id: 'x', task: 'a', ...headers });
    expect(await settle(taskDelivery({ properties: { headers } }), 'celery', signal)).toBe('reject');
    expect(forwarded).toEqual(['theirs x']);
    expect(refusals.map(({ name }) => name)).toEqual(['ours', null, 'a']);
  });

  test('acknowledges only after the task is stored', async () => {
    const stored = Promise.withResolvers<void>();
    const { settle } = createTestHandler({ onTask: async () => stored.promise });
    let settlement: string | null = null;
    const settled = settle(taskDelivery(), 'celery', signal).then((result) => (settlement = result));
    await Promise.resolve();
    expect(settlement).toBeNull();
    stored.resolve();
    await settled;
    expect(settlement).toBe('ack');
  });

  test('holds a message that was not accepted, longer after each failure, before requeuing it', async () => {
    let isDiskFull = true;
    const fail = async () => {
      if (isDiskFull) throw new Error('no space left');
    };
    const { settle, slept } = createTestHandler({ onTask: fail, onRefused: fail });
    for (const delivery of [taskDelivery(), bad, taskDelivery()]) {
      expect(await settle(delivery, 'celery', signal)).toBe('requeue');
    }
    expect(slept).toHaveLength(3);
    expect(slept[0]).toBeGreaterThanOrEqual(500);
    expect(slept[2]).toBeGreaterThanOrEqual(2_000);
    isDiskFull = false;
    expect(await settle(taskDelivery(), 'celery', signal)).toBe('ack');
    isDiskFull = true;
    expect(await settle(taskDelivery(), 'celery', signal)).toBe('requeue');
    expect(slept[3]).toBeLessThanOrEqual(1_000);
  });
});
