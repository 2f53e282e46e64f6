import { coerceError } from '../../../base/errors.js';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import { isQuorumQueue } from '../../../celery/amqp/topology.js';
import { toBrokerError } from '../../../celery/amqp/broker-errors.js';
import { withBroker } from '../../clients/broker.js';
import { combine, count, fail, ok, quoted, warn } from '../../check-result.js';
import type { Check, CheckContext, Finding } from '../../check.js';

/** What a task queue holds, and who takes from it. */
export interface QueueFacts {
  name: string;
  messages: number;
  consumers: number;
}

/**
 * The task queues are there as Celery declares them. A queue that is not there yet is not made: whoever comes first
 * makes it.
 */
export const queues: Check = {
  id: 'rabbitmq.queues',
  group: 'rabbitmq',
  title: 'task queues as Celery declares them',
  needs: ['rabbitmq.connect'],
  async run(context) {
    const found = await Promise.all(context.settings.broker.queues.map((queue) => look(queue, context)));
    return {
      ...combine(found.map(({ finding }) => finding)),
      fact: found.flatMap(({ facts }) => (facts === null ? [] : [facts])),
    };
  },
};

async function look(
  queue: string,
  { settings, signal, clock }: CheckContext,
): Promise<{ finding: Finding; facts: QueueFacts | null }> {
  const { url } = settings.broker;
  const address = readBrokerUrl(url);
  return withBroker({ ...settings.broker, signal, clock }, async (connection) => {
    const first = await connection.createChannel();
    first.on('error', () => undefined);
    let facts: QueueFacts;
    try {
      const { messageCount, consumerCount } = await first.checkQueue(queue);
      facts = { name: queue, messages: messageCount, consumers: consumerCount };
    } catch (thrown) {
      if ((coerceError(thrown) as { code?: unknown }).code !== 404) throw thrown;
      return { finding: ok(`Queue ${queue} is not there yet: the worker or Girder makes it.`), facts: null };
    }
    try {
      const isQuorum = await isQuorumQueue(connection, queue);
      return {
        finding: isQuorum ? quorumFinding(queue) : ok(`Queue ${queue}: durable, without arguments`),
        facts,
      };
    } catch (thrown) {
      const { error } = toBrokerError(thrown, address);
      return { finding: fail(error.message, error.next ?? 'See the log of RabbitMQ.'), facts };
    }
  });
}

/** A quorum queue is consumed as it is; Celery's clients know nothing of its limits. */
function quorumFinding(queue: string): Finding {
  return warn(
    [
      `Queue ${queue} is a quorum queue: it is used as it is.`,
      'RabbitMQ 4 drops a message that was returned 20 times, and such queues know no priorities of tasks before 4.0.',
    ],
    `rabbitmqctl set_policy tasks ${quoted(`^${queue}$`)} '{"delivery-limit": -1}' --apply-to queues`,
  );
}

/** Messages that nobody takes. Pure. */
export function judgeWaiting(facts: readonly QueueFacts[], profile: string): Finding {
  if (facts.length === 0) return ok('no queue is there yet');
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  return combine(
    facts.map(({ name, messages, consumers }) => {
      const evidence = `Queue ${name}: ${count(messages, 'message')} waiting, ${count(consumers, 'consumer')}`;
      return messages > 0 && consumers === 0
        ? warn(`${evidence}: nobody takes them.`, `dsa-slurm${named} worker`)
        : ok(evidence);
    }),
  );
}

export const waiting: Check = {
  id: 'rabbitmq.waiting',
  group: 'rabbitmq',
  title: 'messages that wait',
  needs: ['rabbitmq.queues'],
  run: async ({ needed, profile }) => judgeWaiting(needed('rabbitmq.queues') as QueueFacts[], profile),
};
