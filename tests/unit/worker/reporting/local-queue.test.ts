import { expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import type { QueueDepth } from '../../../../src/celery/broker.js';
import { watchLocalQueue } from '../../../../src/worker/reporting/local-queue.js';
import { createManualClock } from '../../../support/doctor.js';

const depth = (ready: number, consumers: number): QueueDepth => ({ queue: 'local', ready, consumers });

/** What is said after each of these answers of the broker. An error is one that it did not give. */
async function message(...answers: (QueueDepth | null | Error)[]): Promise<(string | null)[]> {
  const clock = createManualClock();
  const stop = new AbortController();
  const coming = answers.values();
  let changes = 0;
  const asked: string[] = [];
  const watch = watchLocalQueue({
    broker: () => ({
      queueDepth: async (queue) => {
        asked.push(queue);
        const next = coming.next().value;
        if (next instanceof Error) throw next;
        return next ?? null;
      },
    }),
    stopping: stop.signal,
    onChange: () => {
      changes += 1;
    },
    clock,
    log: silentLog(),
  });
  const result = [];
  for (const _ of answers) {
    await clock.pass(60_000);
    result.push(watch.problem());
  }
  stop.abort();
  await clock.pass(600_000);
  expect(asked).toEqual(answers.map(() => 'local'));
  const steps = [null, ...result];
  expect(changes).toBe(steps.filter((each, index) => index > 0 && each !== steps[index - 1]).length);
  return result;
}

test('messages without a consumer are reported after two answers in a row, until one appears', async () => {
  expect(await message(depth(1, 0), depth(1, 0), depth(3, 0), depth(3, 1))).toEqual([
    null,
    expect.stringMatching(/^1 message waits in queue "local" and no worker consumes it.*-Q local$/),
    expect.stringMatching(/^3 messages wait /),
    null,
  ]);
});

test('a restarting Python worker is not reported, nor is an empty or missing queue', async () => {
  expect(
    await message(
      depth(2, 0),
      depth(2, 1),
      depth(0, 0),
      depth(0, 0),
      null,
      null,
      depth(1, 0),
      null,
      depth(1, 0),
    ),
  ).toEqual([null, null, null, null, null, null, null, null, null]);
});

test('a missing answer of the broker changes nothing', async () => {
  const away = new Error('Not connected to RabbitMQ.');
  const [, first, second, third] = await message(depth(1, 0), depth(1, 0), away, away);
  expect(first).not.toBeNull();
  expect([second, third]).toEqual([first, first]);
});
