import { expect, test } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { silentLog } from '../../../src/base/log.js';
import { createForwarder, maxForwardMs } from '../../../src/celery/task-forwarder.js';
import { readTask } from '../../../src/celery/messages/read-task.js';
import { taskDelivery } from './deliveries.js';

const never = new AbortController().signal;
const delivery = taskDelivery();
const refusal = new DsaSlurmError('broker', 'No queue takes it.');

/** @param answers what becomes of each attempt, the last one again and again */
function bench(...answers: readonly ('taken' | 'tried again' | 'refused')[]) {
  const waits: unknown[] = [];
  const time = { now: 0 };
  let asides = 0;
  let attempts = 0;
  const forward = createForwarder({
    queue: 'python',
    canRun: (name) => name === 'ours',
    publisher: {
      connect: () => undefined,
      async publish(_message, _signal, onTrouble) {
        const answer = answers[Math.min(attempts, answers.length - 1)];
        attempts += 1;
        if (answer === 'tried again') onTrouble?.('It is full.');
        if (answer === 'refused') throw refusal;
      },
    },
    onWaiting: (waiting) => waits.push(waiting),
    clock: { now: () => time.now, monotonic: () => time.now, sleep: async (ms) => void (time.now += ms) },
    log: silentLog(),
  });
  const run = async (signal = never) =>
    forward(readTask(delivery), delivery, signal, () => {
      asides += 1;
    });
  return { run, waits, time, asides: () => asides, attempts: () => attempts };
}

test('a task that is taken at once is not set aside', async () => {
  const { run, waits, asides } = bench('taken');
  expect(await run()).toBe(true);
  expect([asides(), waits]).toEqual([0, []]);
});

test('one that is not is set aside once, tried again, and told of for as long as it waits', async () => {
  const { run, waits, asides, attempts } = bench('refused', 'refused', 'tried again');
  expect(await run()).toBe(true);
  expect([asides(), attempts()]).toEqual([1, 3]);
  expect(waits).toEqual([
    { count: 1, why: expect.stringContaining('No queue takes it.') as string },
    { count: 1, why: expect.stringContaining('No queue takes it.') as string },
    { count: 1, why: 'It is full.' },
    null,
  ]);
});

test('it goes back to its queue before RabbitMQ takes offence, and when this worker lets go', async () => {
  const { run, waits, time } = bench('refused');
  await expect(run()).rejects.toBe(refusal);
  expect(time.now).toBeGreaterThanOrEqual(maxForwardMs);
  expect(waits.at(-1)).toBeNull();
  await expect(bench('refused').run(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
});
