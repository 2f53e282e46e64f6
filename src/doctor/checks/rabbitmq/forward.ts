import { coerceError } from '../../../base/errors.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, quoted, skip, warn } from '../../check-result.js';

/** @param depth null if the queue does not exist */
export function judgeForward(queue: string, depth: { messages: number; consumers: number } | null): Finding {
  const fix = `celery -A girder_worker.app worker -Q ${quoted(queue)}   # starts a Python worker for it; or unset broker.forwardQueue`;
  if (depth === null) return warn(`Queue ${queue} does not exist: no worker has consumed it yet.`, fix);
  const evidence = `Queue ${queue}: ${count(depth.messages, 'message')} waiting, ${count(depth.consumers, 'consumer')}`;
  if (depth.consumers > 0) return ok(evidence);
  return warn(`${evidence}: forwarded tasks and their Girder jobs wait.`, fix);
}

/** Without a consumer, forwarded tasks would wait forever unnoticed. */
export const forward: Check = {
  id: 'rabbitmq.forward',
  group: 'rabbitmq',
  title: 'forwarded tasks are consumed',
  needs: ['rabbitmq.connect'],
  async run({ settings, signal, clock }) {
    const { forwardQueue } = settings.broker;
    if (forwardQueue === null)
      return skip('broker.forwardQueue is not set: tasks for other workers are refused');
    return withBroker({ ...settings.broker, signal, clock }, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      try {
        const { messageCount: messages, consumerCount: consumers } = await channel.checkQueue(forwardQueue);
        return judgeForward(forwardQueue, { messages, consumers });
      } catch (thrown) {
        if ((coerceError(thrown) as { code?: unknown }).code !== 404) throw thrown;
        return judgeForward(forwardQueue, null);
      }
    });
  },
};
