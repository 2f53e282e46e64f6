import { randomUUID } from 'node:crypto';
import { pingTask } from '../../../worker/task-acceptor.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';

const waitMs = 15_000;

/** @param status of the task's result; null if none arrived */
export function judgeAnswer(
  status: string | null,
  { queue, ms, named }: { queue: string; ms: number; named: string },
): Finding {
  if (status === 'SUCCESS') return ok(`a task in queue ${queue} was answered after ${ms} ms`);
  if (status === null) {
    return warn(
      `A task in queue ${queue} had no result within ${waitMs / 1_000} s.`,
      `dsa-slurm${named} console   # is the worker paused or full?`,
    );
  }
  return warn(
    `A task in queue ${queue} returned ${status} after ${ms} ms: another or an older worker took it.`,
    `dsa-slurm${named} doctor --only celery.other-consumers -v`,
  );
}

/**
 * Publishes a task that the worker answers without creating a run, and waits for its result. It tests the whole path through
 * RabbitMQ and leaves nothing behind.
 */
export const roundTrip: Check = {
  id: 'celery.round-trip',
  group: 'celery',
  title: 'task round trip to the worker',
  deep: true,
  needs: ['celery.ping', 'rabbitmq.queues'],
  timeoutMs: waitMs + 5_000,
  async run({ settings, needed, signal, clock, profile }) {
    const named = profile === 'default' ? '' : ` --profile ${profile}`;
    const isThere = needed('celery.ping').some(({ node }) => node === settings.worker.name);
    // without a worker the task would stay in the queue
    if (!isThere) return warn('This worker is not running, so no task was sent.', `dsa-slurm${named} worker`);
    const queue = settings.broker.queues[0] ?? 'celery';
    return withBroker({ ...settings.broker, signal, clock }, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      const id = randomUUID();
      const reply = await channel.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
      const arrived = new AbortController();
      let status: string | null = null;
      await channel.consume(
        reply.queue,
        (message) => {
          if (message?.properties.correlationId !== id) return;
          status = /"status": ?"(\w+)"/.exec(message.content.toString('utf8'))?.[1] ?? 'without a status';
          arrived.abort();
        },
        { noAck: true },
      );
      const from = clock.monotonic();
      channel.publish(
        '',
        queue,
        Buffer.from(JSON.stringify([[], {}, { callbacks: null, errbacks: null, chain: null, chord: null }])),
        {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          correlationId: id,
          replyTo: reply.queue,
          // it must not stay in the queue
          expiration: String(waitMs),
          headers: {
            lang: 'py',
            task: pingTask,
            id,
            root_id: id,
            parent_id: null,
            group: null,
            eta: null,
            expires: null,
            retries: 0,
            timelimit: [null, null],
            argsrepr: '()',
            kwargsrepr: '{}',
            origin: 'dsa-slurm doctor',
            ignore_result: false,
          },
        },
      );
      await clock.sleep(waitMs, AbortSignal.any([signal, arrived.signal]));
      return judgeAnswer(status, { queue, ms: Math.round(clock.monotonic() - from), named });
    });
  },
};
