import type { ChannelModel } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import { coerceError } from '../../base/errors.js';
import type { PythonJson } from '../../base/text/python-json.js';
import { queueDepth, type QueueDepth } from '../../celery/amqp/queue-depths.js';
import { callWorkers } from '../../celery/control/control-client.js';

/** A task that a worker holds. */
export interface HeldTask {
  id: string;
  name: string;
  /** `waiting`: received, but not started; `scheduled`: waits for its eta. */
  state: 'running' | 'waiting' | 'scheduled';
  /** When it started, in milliseconds; null: it has not. */
  startedAt: number | null;
}

/** A Celery worker, as it describes itself. */
export interface CeleryWorker {
  node: string;
  /** `dsa-slurm`: a worker of this program. */
  kind: 'python' | 'dsa-slurm';
  /** Queues that it consumes; null: it did not reply. */
  queues: readonly string[] | null;
  /** Tasks that it holds; null: it did not reply. */
  tasks: readonly HeldTask[] | null;
}

/** The workers of a broker, and the queues. */
export interface BrokerState {
  workers: readonly CeleryWorker[];
  /** Depth of each queue; null: it does not exist. */
  queues: readonly { queue: string; depth: QueueDepth | null }[];
}

export interface BrokerCalls {
  connection: ChannelModel;
  clock: Clock;
  signal: AbortSignal;
}

/** AMQP reply code. */
const resourceLocked = 405;

/** All replies to a broadcast arrive within this time, also from a busy host; Celery itself waits one second. */
const broadcastMs = 2_000;
/** A named worker has longer. */
const replyMs = 5_000;

/** Asks all workers who they are, what they consume and what they hold. */
export async function readBrokerState(calls: BrokerCalls, queues: readonly string[]): Promise<BrokerState> {
  const { connection, clock, signal } = calls;
  const options = { timeoutMs: broadcastMs, clock, signal };
  const reports = await callWorkers(connection, { method: 'report', destination: null }, options);
  const workers = await readWorkers(
    calls,
    [...reports].map(([node, report]) => ({ node, kind: kindOf(report) })),
  );
  const depths: { queue: string; depth: QueueDepth | null }[] = [];
  for (const queue of queues) depths.push({ queue, depth: await queueDepth(connection, queue) });
  return { workers, queues: depths };
}

/** What these workers consume and hold. */
export async function readWorkers(
  { connection, clock, signal }: BrokerCalls,
  known: readonly Pick<CeleryWorker, 'node' | 'kind'>[],
): Promise<CeleryWorker[]> {
  if (known.length === 0) return [];
  const destination = known.map(({ node }) => node);
  const ask = async (method: string) =>
    callWorkers(connection, { method, destination }, { timeoutMs: replyMs, clock, signal });
  const queues = await ask('active_queues');
  // in the order in which a task moves on, so that none is missed between two answers
  const scheduled = await ask('scheduled');
  const reserved = await ask('reserved');
  const active = await ask('active');
  return known
    .map(({ node, kind }) => ({
      node,
      kind,
      queues: namesOf(queues.get(node)),
      tasks: tasksOf(scheduled.get(node), reserved.get(node), active.get(node)),
    }))
    .toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

/** Whether a node has a mailbox for remote control, which RabbitMQ deletes soon after the node is gone. */
export async function hasMailbox({ connection }: BrokerCalls, node: string): Promise<boolean> {
  try {
    return ((await queueDepth(connection, `${node}.celery.pidbox`))?.consumers ?? 0) > 0;
  } catch (error) {
    // from Celery 5.7 on, the mailbox belongs to the connection of its node: RabbitMQ tells others only that it exists
    if ((coerceError(error) as { code?: unknown }).code === resourceLocked) return true;
    throw error;
  }
}

/**
 * Tells a node to stop or to start consuming a queue, with Celery's `cancel_consumer` and `add_consumer`.
 * @returns null if it does; otherwise why not, as a sentence without its full stop
 */
export async function setConsumer(
  { connection, clock, signal }: BrokerCalls,
  { node, queue }: { node: string; queue: string },
  consume: boolean,
): Promise<string | null> {
  const method = consume ? 'add_consumer' : 'cancel_consumer';
  const replies = await callWorkers(
    connection,
    { method, arguments: { queue }, destination: [node] },
    { timeoutMs: replyMs, clock, signal },
  );
  const reply = tableOf(replies.get(node));
  if (reply === null) return 'it did not reply';
  if (reply['ok'] !== undefined) return null;
  return typeof reply['error'] === 'string' ? reply['error'].slice(0, 200) : 'it refused';
}

/** The report of this program begins with its name (src/celery/control/control-replies.ts). */
function kindOf(report: PythonJson): CeleryWorker['kind'] {
  const text = tableOf(report)?.['ok'];
  return typeof text === 'string' && text.startsWith('dsa-slurm ') ? 'dsa-slurm' : 'python';
}

function namesOf(reply: PythonJson | undefined): string[] | null {
  // Celery replies with null if it consumes nothing
  if (reply === null) return [];
  if (!Array.isArray(reply)) return null;
  return reply.flatMap((queue) => {
    const name = tableOf(queue)?.['name'];
    return typeof name === 'string' ? [name] : [];
  });
}

function tasksOf(
  scheduled: PythonJson | undefined,
  reserved: PythonJson | undefined,
  active: PythonJson | undefined,
): HeldTask[] | null {
  if (!Array.isArray(scheduled) || !Array.isArray(reserved) || !Array.isArray(active)) return null;
  const tasks = new Map<string, HeldTask>();
  for (const each of scheduled) addTask(tasks, tableOf(each)?.['request'], 'scheduled');
  for (const each of reserved) addTask(tasks, each, 'waiting');
  for (const each of active) addTask(tasks, each, 'running');
  return [...tasks.values()];
}

function addTask(
  tasks: Map<string, HeldTask>,
  value: PythonJson | undefined,
  state: HeldTask['state'],
): void {
  const task = tableOf(value);
  const id = task?.['id'];
  if (task === null || typeof id !== 'string') return;
  const { name, time_start: started } = task;
  tasks.set(id, {
    id,
    name: typeof name === 'string' ? name : '',
    state,
    // before Celery 4 times were monotonic; those of later versions are in seconds
    startedAt: state === 'running' && typeof started === 'number' && started > 1e9 ? started * 1_000 : null,
  });
}

function tableOf(value: PythonJson | undefined): { [key: string]: PythonJson } | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
}
