import { coerceError } from '../../../base/errors.js';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import { isQuorumQueue } from '../../../celery/amqp/topology.js';
import { toBrokerError } from '../../../celery/amqp/broker-errors.js';
import { withBroker } from '../../clients/broker.js';
import { combine, count, fail, ok, quoted, warn } from '../../check-result.js';
import type { Check, CheckContext, Finding } from '../../check.js';

/** Messages and consumers of a task queue. */
export interface QueueFacts {
  name: string;
  messages: number;
  consumers: number;
}

/**
 * Whether the task queues have Celery's arguments. Missing queues are not created: the first client declares them.
 */
export const queues: Check<'rabbitmq.queues'> = {
  id: 'rabbitmq.queues',
  group: 'rabbitmq',
  title: 'task queues match Celery',
  needs: ['rabbitmq.connect'],
  async run(context) {
    const found = await Promise.all(context.settings.broker.queues.map((queue) => examine(queue, context)));
    return {
      ...combine(found.map(({ finding }) => finding)),
      fact: found.flatMap(({ facts }) => (facts === null ? [] : [facts])),
    };
  },
};

async function examine(
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
      return {
        finding: ok(`Queue ${queue} does not exist yet: the worker or Girder will create it.`),
        facts: null,
      };
    }
    try {
      const isQuorum = await isQuorumQueue(connection, queue);
      return {
        finding: isQuorum ? quorumFinding(queue) : ok(`Queue ${queue}: durable classic queue`),
        facts,
      };
    } catch (thrown) {
      const { error } = toBrokerError(thrown, address);
      return { finding: fail(error.message, error.next ?? 'See the RabbitMQ log.'), facts };
    }
  });
}

/** The worker consumes quorum queues, but Celery's clients do not know their limits. */
function quorumFinding(queue: string): Finding {
  return warn(
    [
      `Queue ${queue} is a quorum queue.`,
      'RabbitMQ 4 drops a message after 20 redeliveries, and quorum queues ignore task priorities before 4.0.',
    ],
    `rabbitmqctl set_policy tasks ${quoted(`^${queue}$`)} '{"delivery-limit": -1}' --apply-to queues`,
  );
}

/** Finds queues with messages but without consumers. */
export function judgeWaiting(facts: readonly QueueFacts[], profile: string): Finding {
  if (facts.length === 0) return ok('no queue exists yet');
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  return combine(
    facts.map(({ name, messages, consumers }) => {
      const evidence = `Queue ${name}: ${count(messages, 'message')} waiting, ${count(consumers, 'consumer')}`;
      return messages > 0 && consumers === 0
        ? warn(`${evidence}.`, `dsa-slurm${named} worker`)
        : ok(evidence);
    }),
  );
}

export const waiting: Check = {
  id: 'rabbitmq.waiting',
  group: 'rabbitmq',
  title: 'waiting messages',
  needs: ['rabbitmq.queues'],
  run: async ({ needed, profile }) => judgeWaiting(needed('rabbitmq.queues'), profile),
};
