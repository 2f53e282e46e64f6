import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { readFieldTable } from '../../../src/celery/amqp/read-field-table.js';
import type { Delivery, Refusal } from '../../../src/celery/messages/read-task.js';
import { createDeliveryHandler, type DeliveryHandlerOptions } from '../../../src/celery/delivery-handler.js';
import type { Task } from '../../../src/celery/messages/task.js';
import { taskDelivery } from './deliveries.js';

function createSettling(change: Partial<DeliveryHandlerOptions> = {}) {
  const slept: number[] = [];
  const tasks: Task[] = [];
  const refusals: Refusal[] = [];
  const aside: string[] = [];
  const settler = createDeliveryHandler({
    onTask: async (task) => void tasks.push(task),
    onRefused: async (refusal) => void refusals.push(refusal),
    forward: null,
    clock: { now: () => 0, monotonic: () => 0, sleep: async (ms) => void slept.push(ms) },
    log: silentLog(),
    ...change,
  });
  const settle = async (delivery: Delivery, queue: string, signal: AbortSignal) =>
    settler(delivery, queue, signal, () => void aside.push(queue));
  return { settle, aside, slept, tasks, refusals };
}

const { signal } = new AbortController();
const pickled = (headers: Record<string, unknown>) =>
  taskDelivery({
    properties: { contentType: 'application/x-python-serialize', headers: { id: 'x', ...headers } },
  });
const bad = taskDelivery({ headers: { task: undefined } });

describe('createSettler', () => {
  test('a task is acknowledged, a refused message is not brought back', async () => {
    const { settle, tasks, refusals, slept } = createSettling();
    expect(await settle(taskDelivery(), 'gpu', signal)).toBe('ack');
    expect(await settle(bad, 'gpu', signal)).toBe('reject');
    expect(tasks).toMatchObject([{ queue: 'gpu', name: 'some.task' }]);
    expect(refusals).toMatchObject([{ queue: 'gpu', name: null }]);
    expect(slept).toEqual([]);
  });

  test('what is handed on is acknowledged afterwards, and goes back if no queue takes it', async () => {
    let isTaken = true;
    const handed: unknown[] = [];
    const { settle, aside, tasks, slept } = createSettling({
      forward: async (task, delivery, _signal, setAside) => {
        if (task.name !== 'some.task') return false;
        if (!isTaken) {
          setAside();
          throw new Error('No queue takes it.');
        }
        handed.push(delivery);
        return true;
      },
    });
    const delivery = taskDelivery();
    expect(await settle(delivery, 'celery', signal)).toBe('ack');
    expect(handed).toEqual([delivery]);
    expect(await settle(taskDelivery({ headers: { task: 'ours' } }), 'celery', signal)).toBe('ack');
    expect(tasks).toMatchObject([{ name: 'ours' }]);
    expect(aside).toEqual([]);
    isTaken = false;
    expect(await settle(delivery, 'celery', signal)).toBe('requeue');
    expect(aside).toEqual(['celery']);
    expect(slept).toHaveLength(1);
    expect(tasks).toHaveLength(1);
  });

  test('what cannot be read is handed on if its name is that of a task for others, and its headers are whole', async () => {
    const handed: string[] = [];
    const { settle, refusals } = createSettling({
      forward: async ({ id, name }) => name !== 'ours' && handed.push(`${name} ${id}`) > 0,
    });
    expect(await settle(pickled({ task: 'theirs' }), 'celery', signal)).toBe('ack');
    expect(await settle(pickled({ task: 'ours' }), 'celery', signal)).toBe('reject');
    expect(await settle(pickled({}), 'celery', signal)).toBe('reject');
    // a field of an unknown type behind two good ones
    const headers = readFieldTable(Buffer.from('026964530000000178047461736b530000000161015a5a', 'hex'));
    expect(headers).toEqual({ id: 'x', task: 'a', ...headers });
    expect(await settle(taskDelivery({ properties: { headers } }), 'celery', signal)).toBe('reject');
    expect(handed).toEqual(['theirs x']);
    expect(refusals.map(({ name }) => name)).toEqual(['ours', null, 'a']);
  });

  test('acknowledges only after the task is safe', async () => {
    const safe = Promise.withResolvers<void>();
    const { settle } = createSettling({ onTask: async () => safe.promise });
    let verdict: string | null = null;
    const settled = settle(taskDelivery(), 'celery', signal).then((is) => (verdict = is));
    await Promise.resolve();
    expect(verdict).toBeNull();
    safe.resolve();
    await settled;
    expect(verdict).toBe('ack');
  });

  test('what is not taken over is held longer each time, and then goes back', async () => {
    let isFull = true;
    const fail = async () => {
      if (isFull) throw new Error('no space left');
    };
    const { settle, slept } = createSettling({ onTask: fail, onRefused: fail });
    for (const delivery of [taskDelivery(), bad, taskDelivery()]) {
      expect(await settle(delivery, 'celery', signal)).toBe('requeue');
    }
    expect(slept).toHaveLength(3);
    expect(slept[0]).toBeGreaterThanOrEqual(500);
    expect(slept[2]).toBeGreaterThanOrEqual(2_000);
    isFull = false;
    expect(await settle(taskDelivery(), 'celery', signal)).toBe('ack');
    isFull = true;
    expect(await settle(taskDelivery(), 'celery', signal)).toBe('requeue');
    expect(slept[3]).toBeLessThanOrEqual(1_000);
  });
});
