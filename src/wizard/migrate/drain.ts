import type { Clock } from '../../base/clock.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import type { Settings } from '../../config/index.js';
import { withBroker } from '../../doctor/clients/broker.js';
import {
  hasMailbox,
  readBrokerState,
  readWorkers,
  setConsumer,
  type BrokerCalls,
  type BrokerState,
  type CeleryWorker,
  type HeldTask,
} from './celery-workers.js';
import type { MigrationRecord } from './record.js';

export interface BrokerOptions {
  broker: Pick<Settings['broker'], 'url' | 'caFile' | 'certFile' | 'keyFile' | 'queues'>;
  clock: Clock;
  signal: AbortSignal;
}

/** Runs `use` on a connection of its own. @throws DsaSlurmError `broker` */
async function onBroker<T>(
  { broker, clock, signal }: BrokerOptions,
  use: (calls: BrokerCalls) => Promise<T>,
): Promise<T> {
  return withBroker({ ...broker, clock, signal }, async (connection) => use({ connection, clock, signal }));
}

/** Who consumes the queues, and what each worker holds. @throws DsaSlurmError `broker` */
export async function readMigrationStatus(options: BrokerOptions): Promise<BrokerState> {
  return onBroker(options, async (calls) => readBrokerState(calls, options.broker.queues));
}

/** The Python workers that consume one of the queues. */
export function pythonConsumers(
  { workers }: Pick<BrokerState, 'workers'>,
  queues: readonly string[],
): { node: string; queue: string }[] {
  return workers
    .filter(({ kind }) => kind === 'python')
    .flatMap(({ node, queues: own }) =>
      (own ?? []).filter((queue) => queues.includes(queue)).map((queue) => ({ node, queue })),
    );
}

/** Consumers of the queues that did not reply to remote control, such as a worker with `--pool=solo` that runs a task. */
export function silentConsumers({ workers, queues }: BrokerState): number {
  return queues.reduce((sum, { queue, depth }) => {
    const known = workers.filter(({ queues: own }) => own?.includes(queue) === true).length;
    return sum + Math.max(0, (depth?.consumers ?? 0) - known);
  }, 0);
}

/** How far a drain is. */
export interface DrainProgress {
  /** Tasks that the drained workers hold, by node; null: the node did not reply. */
  held: readonly { node: string; tasks: readonly HeldTask[] | null }[];
  /** Why RabbitMQ could not be asked; null: it was. */
  problem: string | null;
}

/** How a drain ended. */
export interface DrainResult {
  nodes: readonly string[];
  /** Nodes that ended while they held these tasks, as far as is known. */
  lost: readonly { node: string; tasks: readonly HeldTask[] }[];
  /** Consumers that did not reply and go on consuming. */
  silent: number;
}

export interface DrainOptions extends BrokerOptions {
  record: MigrationRecord;
  /** Keeps what is to be undone; called before a worker is asked to stop. */
  save: (record: MigrationRecord) => Promise<void>;
  /** Called after each look. */
  onProgress: (progress: DrainProgress) => void;
  /** False: only stop the workers from taking tasks. */
  wait: boolean;
}

const lookMs = 2_000;
/** In one look a task may be between two places, so that nothing counts only when it is seen again. */
const emptyLooks = 2;
/** A worker that has lost its connection is without a mailbox until it is connected again. */
const goneLooks = 8;

/**
 * Stops the Python workers from taking tasks from the queues, and waits until they have finished those that they hold. Tasks in
 * the queues stay there for other workers.
 * @returns null if the wait was interrupted
 * @throws DsaSlurmError `broker`; `unknown` if no Python worker consumes the queues, `worker` if one does not stop
 */
export async function drainPythonWorkers(options: DrainOptions): Promise<DrainResult | null> {
  const { broker, record, save, clock, signal, wait, onProgress } = options;
  const state = await readMigrationStatus(options);
  const consumers = pythonConsumers(state, broker.queues);
  const earlier = record.drained.filter(
    ({ node, queue }) => !consumers.some((each) => each.node === node && each.queue === queue),
  );
  const silent = silentConsumers(state);
  if (consumers.length === 0 && earlier.length === 0) throw nothingToDrain(broker.queues, silent);
  await save({ ...record, drained: [...earlier, ...consumers] });
  await onBroker(options, async (calls) => {
    for (const consumer of consumers) {
      const problem = await setConsumer(calls, consumer, false);
      if (problem === null) continue;
      throw new DsaSlurmError(
        'worker',
        `${consumer.node} still takes tasks from the queue "${consumer.queue}": ${problem}.`,
        { next: 'Run dsa-slurm migrate drain again, or stop that worker where it was started.' },
      );
    }
  });
  const nodes = [...new Set([...consumers, ...earlier].map(({ node }) => node))];
  if (!wait) return { nodes, lost: [], silent };
  const lost = await waitUntilPythonIdle(nodes, {
    look: async (left) => onBroker(options, async (calls) => look(calls, left)),
    clock,
    signal,
    onProgress,
  });
  return lost === null ? null : { nodes, lost, silent };
}

function nothingToDrain(queues: readonly string[], silent: number): DsaSlurmError {
  const names = queues.map((queue) => `"${queue}"`).join(', ');
  return silent === 0
    ? new DsaSlurmError('unknown', `No Python worker consumes the queue ${names}.`, {
        next: 'There is nothing to drain. For an overview: dsa-slurm migrate status',
      })
    : new DsaSlurmError(
        'worker',
        `${silent === 1 ? 'One consumer' : `${silent} consumers`} of the queue ${names} did not reply to Celery's remote control.`,
        {
          next: 'A worker with --pool=solo replies only between tasks: try again, or stop it where it was started when its task has ended.',
        },
      );
}

/** What a drained node replied, and whether it is there. */
export interface NodeLook extends Pick<CeleryWorker, 'node' | 'tasks'> {
  /** It has no mailbox. */
  isGone: boolean;
}

interface WaitOptions extends Pick<DrainOptions, 'clock' | 'signal' | 'onProgress'> {
  /** @throws DsaSlurmError if RabbitMQ does not answer */
  look: (nodes: readonly string[]) => Promise<readonly NodeLook[]>;
}

/**
 * Waits until each node holds no tasks or is gone. Silence is neither.
 * @returns what was lost with nodes that ended; null if interrupted
 */
export async function waitUntilPythonIdle(
  nodes: readonly string[],
  { look, clock, signal, onProgress }: WaitOptions,
): Promise<DrainResult['lost'] | null> {
  const last = new Map<string, readonly HeldTask[]>();
  /** Looks in a row in which a node held nothing, or was gone. */
  const empty = new Map<string, number>();
  const gone = new Map<string, number>();
  const lost: { node: string; tasks: readonly HeldTask[] }[] = [];
  let left = [...nodes];
  while (left.length > 0) {
    try {
      const workers = await look(left);
      for (const { node, tasks, isGone } of workers) {
        gone.set(node, isGone ? (gone.get(node) ?? 0) + 1 : 0);
        if (tasks === null) continue;
        last.set(node, tasks);
        empty.set(node, tasks.length === 0 ? (empty.get(node) ?? 0) + 1 : 0);
      }
      const ended = left.filter((node) => (gone.get(node) ?? 0) >= goneLooks);
      for (const node of ended) {
        // what had not started was returned to the queue
        const tasks = (last.get(node) ?? []).filter(({ state }) => state === 'running');
        if (tasks.length > 0) lost.push({ node, tasks });
      }
      left = left.filter((node) => !ended.includes(node) && (empty.get(node) ?? 0) < emptyLooks);
      onProgress({ held: workers.map(({ node, tasks }) => ({ node, tasks })), problem: null });
    } catch (thrown) {
      if (!(thrown instanceof DsaSlurmError)) throw thrown;
      if (!signal.aborted) onProgress({ held: [], problem: errorLine(thrown) });
    }
    if (signal.aborted) return null;
    if (left.length > 0) await clock.sleep(lookMs, signal);
    if (signal.aborted) return null;
  }
  return lost;
}

/** What these nodes hold, and which of them are gone: silence says nothing, but a mailbox without a consumer does. */
async function look(calls: BrokerCalls, nodes: readonly string[]): Promise<NodeLook[]> {
  const present: string[] = [];
  for (const node of nodes) if (await hasMailbox(calls, node)) present.push(node);
  const workers = await readWorkers(
    calls,
    present.map((node) => ({ node, kind: 'python' as const })),
  );
  return nodes.map((node) => ({
    node,
    tasks: workers.find((worker) => worker.node === node)?.tasks ?? null,
    isGone: !present.includes(node),
  }));
}

/** What became of the consumers of drained workers. */
export interface ResumedConsumer {
  node: string;
  queue: string;
  /** Null: it consumes the queue again. */
  problem: string | null;
}

/** The worker is gone, so that there is nothing to resume. */
export const notRunning = 'it is not running any more; start it as before (run.sh)';

/** Tells drained workers to take tasks again. @throws DsaSlurmError `broker` */
export async function resumePythonWorkers(
  drained: MigrationRecord['drained'],
  options: BrokerOptions,
): Promise<ResumedConsumer[]> {
  if (drained.length === 0) return [];
  return onBroker(options, async (calls) => {
    const resumed: ResumedConsumer[] = [];
    for (const consumer of drained) {
      const gone = !(await hasMailbox(calls, consumer.node));
      const problem = gone ? notRunning : await setConsumer(calls, consumer, true);
      resumed.push({ ...consumer, problem });
    }
    return resumed;
  });
}
