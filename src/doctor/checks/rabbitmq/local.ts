import type { Channel } from 'amqplib';
import { coerceError } from '../../../base/errors.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, skip, warn } from '../../check-result.js';
import type { GirderFacts } from '../girder/reach.js';

/** The queue for tasks that need Girder's database (contract, section c). */
const queue = 'local';

/** Messages that are looked at for the names of their tasks. */
const mostPeeked = 10;

export interface LocalQueue {
  messages: number;
  consumers: number;
  /** Names of the first tasks that wait. */
  tasks: readonly string[];
}

/** @param state null: the queue is not there @param major of Girder; null where it is not known. Pure. */
export function judgeLocal(state: LocalQueue | null, major: number | null): Finding {
  const fix =
    'Start Girder’s own Python worker beside Girder: celery -A girder_worker.app worker -Q local   # in its environment. Then restart Girder, which remembers for an hour that there was none.';
  const what = 'annotations, imports, copies and deletions of folders';
  if (state === null || (state.messages === 0 && state.consumers === 0)) {
    if (major !== 5) return ok(`Queue ${queue} is not used: Girder 3 does without`);
    return warn(`Nobody takes from queue ${queue}: ${what} would wait there for ever.`, fix);
  }
  const evidence = `Queue ${queue}: ${count(state.messages, 'message')} waiting, ${count(state.consumers, 'consumer')}`;
  if (state.consumers > 0) return ok(evidence);
  const tasks = state.tasks.length === 0 ? '' : ` Waiting: ${state.tasks.join(', ')}.`;
  return warn(
    `${evidence}: nobody takes them.${tasks} Results seem lost until somebody does (${what}).`,
    fix,
  );
}

/** Girder 5 gives tasks that need its database to a Python worker of its own; this worker never touches them. */
export const local: Check = {
  id: 'rabbitmq.local',
  group: 'rabbitmq',
  title: 'somebody takes Girder’s own tasks (queue local)',
  needs: ['rabbitmq.connect', 'girder.reach'],
  async run({ settings, signal, clock, needed }) {
    const girder = needed('girder.reach') as GirderFacts | undefined;
    const state = await withBroker({ ...settings.broker, signal, clock }, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      try {
        const { messageCount: messages, consumerCount: consumers } = await channel.checkQueue(queue);
        const tasks = consumers === 0 ? await peek(channel, Math.min(messages, mostPeeked)) : [];
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

/** What is taken without an acknowledgement goes back to its place when the channel closes. */
async function peek(channel: Channel, most: number): Promise<string[]> {
  const names = new Set<string>();
  for (let index = 0; index < most; index += 1) {
    const message = await channel.get(queue);
    if (message === false) break;
    const task: unknown = message.properties.headers?.['task'];
    if (typeof task === 'string') names.add(task.slice(0, 200));
  }
  return [...names];
}
