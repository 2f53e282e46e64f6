import type { Channel } from 'amqplib';
import { coerceError } from '../../../base/errors.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, skip, warn } from '../../check-result.js';

/** The queue for tasks that need Girder's database. */
const queue = 'local';

/** Messages that are inspected for task names. */
const maxPeeked = 10;

export interface LocalQueue {
  messages: number;
  consumers: number;
  /** Names of the first waiting tasks. */
  tasks: readonly string[];
}

/** @param state null if the queue does not exist @param major of Girder; null if not known */
export function judgeLocal(state: LocalQueue | null, major: number | null): Finding {
  const fix =
    "celery -A girder_worker.app worker -Q local   # Girder's own Python worker, in its environment; then restart Girder, which caches the lack of a worker for an hour";
  const what = 'annotations, imports, copies and deletions of folders';
  if (state === null || (state.messages === 0 && state.consumers === 0)) {
    if (major !== 5) return ok(`Queue ${queue} is not used by Girder 3`);
    return warn(`Queue ${queue} has no consumer: ${what} would wait forever.`, fix);
  }
  const evidence = `Queue ${queue}: ${count(state.messages, 'message')} waiting, ${count(state.consumers, 'consumer')}`;
  if (state.consumers > 0) return ok(evidence);
  const tasks = state.tasks.length === 0 ? '' : ` Waiting: ${state.tasks.join(', ')}.`;
  return warn(
    `${evidence}.${tasks} Until a worker consumes them, their results are missing in Girder (${what}).`,
    fix,
  );
}

/** Girder 5 runs tasks that need its database on its own Python worker; this worker does not consume them. */
export const local: Check = {
  id: 'rabbitmq.local',
  group: 'rabbitmq',
  title: "Girder's own tasks are consumed (queue local)",
  needs: ['rabbitmq.connect', 'girder.reach'],
  async run({ settings, signal, clock, needed }) {
    const girder = needed('girder.reach');
    const state = await withBroker({ ...settings.broker, signal, clock }, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      try {
        const { messageCount: messages, consumerCount: consumers } = await channel.checkQueue(queue);
        const tasks = consumers === 0 ? await peek(channel, Math.min(messages, maxPeeked)) : [];
        return { messages, consumers, tasks };
      } catch (thrown) {
        if ((coerceError(thrown) as { code?: unknown }).code !== 404) throw thrown;
        return null;
      }
    });
    if (girder === undefined && state === null) {
      return skip('girder.apiUrl is not set, so it is not known whether Girder uses queue local');
    }
    return judgeLocal(state, girder?.major ?? null);
  },
};

/** Unacknowledged messages return to the queue when the channel closes. */
async function peek(channel: Channel, max: number): Promise<string[]> {
  const names = new Set<string>();
  for (let index = 0; index < max; index += 1) {
    const message = await channel.get(queue);
    if (message === false) break;
    const task: unknown = message.properties.headers?.['task'];
    if (typeof task === 'string') names.add(task.slice(0, 200));
  }
  return [...names];
}
