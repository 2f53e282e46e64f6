import { expect, test } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { silentLog } from '../../../src/base/log.js';
import { createForwarder, maxForwardMs } from '../../../src/celery/task-forwarder.js';
import { readTask } from '../../../src/celery/messages/read-task.js';
import { taskDelivery } from './deliveries.js';

const never = new AbortController().signal;
const delivery = taskDelivery();
const refusal = new DsaSlurmError('broker', 'No queue accepts it.');

/** @param answers the result of each attempt; the last one repeats */
function bench(...answers: readonly ('accepted' | 'retried' | 'refused')[]) {
  const waits: unknown[] = [];
  const time = { now: 0 };
  let parkCalls = 0;
  let attempts = 0;
  const forward = createForwarder({
    queue: 'python',
    canRun: (name) => name === 'ours',
    publisher: {
      connect: () => undefined,
      async publish(_message, _signal, onRetry) {
        const answer = answers[Math.min(attempts, answers.length - 1)];
        attempts += 1;
        if (answer === 'retried') onRetry?.('It is full.');
        if (answer === 'refused') throw refusal;
      },
    },
    onWaiting: (waiting) => waits.push(waiting),
    clock: { now: () => time.now, monotonic: () => time.now, sleep: async (ms) => void (time.now += ms) },
    log: silentLog(),
  });
  const run = async (signal = never) =>
    forward(readTask(delivery), delivery, signal, () => {
      parkCalls += 1;
    });
  return { run, waits, time, parkCalls: () => parkCalls, attempts: () => attempts };
}

test('does not park a task that is forwarded immediately', async () => {
  const { run, waits, parkCalls } = bench('accepted');
  expect(await run()).toBe(true);
  expect([parkCalls(), waits]).toEqual([0, []]);
});

test('parks a waiting task once, retries, and reports it while it waits', async () => {
  const { run, waits, parkCalls, attempts } = bench('refused', 'refused', 'retried');
  expect(await run()).toBe(true);
  expect([parkCalls(), attempts()]).toEqual([1, 3]);
  expect(waits).toEqual([
    { count: 1, reason: expect.stringContaining('No queue accepts it.') as string },
    { count: 1, reason: expect.stringContaining('No queue accepts it.') as string },
    { count: 1, reason: 'It is full.' },
    null,
  ]);
});

test('gives up before the consumer timeout of RabbitMQ, and when the worker stops', async () => {
  const { run, waits, time } = bench('refused');
  await expect(run()).rejects.toBe(refusal);
  expect(time.now).toBeGreaterThanOrEqual(maxForwardMs);
  expect(waits.at(-1)).toBeNull();
  await expect(bench('refused').run(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
});
