import { coerceError } from '../../../base/errors.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, quoted, skip, warn } from '../../check-result.js';

/** @param depth null: the queue is not there yet */
export function judgeForward(queue: string, depth: { messages: number; consumers: number } | null): Finding {
  const fix = `Start a Python worker for it (celery -A girder_worker.app worker -Q ${quoted(queue)}), or unset broker.forwardQueue.`;
  if (depth === null) return warn(`Queue ${queue} is not there yet: nobody has listened to it.`, fix);
  const evidence = `Queue ${queue}: ${count(depth.messages, 'message')} waiting, ${count(depth.consumers, 'consumer')}`;
  if (depth.consumers > 0) return ok(evidence);
  return warn(`${evidence}: what is handed on waits there, and its Girder jobs with it.`, fix);
}

/** A queue without a listener takes tasks for ever, and nobody is told. */
export const forward: Check = {
  id: 'rabbitmq.forward',
  group: 'rabbitmq',
  title: 'somebody takes the tasks that are handed on',
  needs: ['rabbitmq.connect'],
  async run({ settings, signal, clock }) {
    const { forwardQueue } = settings.broker;
    if (forwardQueue === null) return skip('tasks for others are refused: broker.forwardQueue is not set');
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
