import type { Log } from '../../base/log.js';
import { heartbeat, type BrokerAddress } from '../amqp/broker-url.js';
import type { ControlTarget, ControlTask } from './control-target.js';
import type { EventPublisher } from './events.js';
import type { LamportClock } from './lamport.js';

/** What replies contain about this worker besides its tasks. */
export interface ControlContext {
  nodeName: string;
  queues: readonly string[];
  prefetch: number;
  address: BrokerAddress;
  startedAt: number;
  now(): number;
  clock: LamportClock;
  events: Pick<EventPublisher, 'setTaskEvents' | 'heartbeat'>;
  pid: number;
  /** Usage of this process, as `process.resourceUsage()`. */
  usage(): NodeJS.ResourceUsage;
  log: Log;
}

// The shapes are those of Celery 5.2 and 5.6 (contract, section g, `fixtures/pidbox`): Girder's status page and
// Flower read some keys without checking that they exist.

/** Free text. Girder's status page only shows workers that reply to `report`. */
export function report(context: ControlContext): string {
  return [
    `dsa-slurm worker ${context.nodeName}, node.js ${process.version}, ${process.platform}`,
    `broker: ${context.address.masked}`,
    `queues: ${context.queues.join(', ')}`,
  ].join('\n');
}

export function configuration(context: ControlContext) {
  return {
    accept_content: ['json'],
    broker_url: context.address.masked,
    result_backend: 'rpc://',
    task_queues: [...context.queues],
    worker_prefetch_multiplier: context.prefetch,
  };
}

export function stats(target: ControlTarget, context: ControlContext) {
  const totals = target.totals();
  const accepted = Object.values(totals).reduce((sum, count) => sum + count, 0);
  // Girder's page reads only the first count by name, and subtracts the active tasks of all names from it
  const sum = Object.keys(totals).length > 1 ? { '(all tasks)': accepted } : {};
  return {
    total: { ...sum, ...totals },
    pid: context.pid,
    clock: String(context.clock.value()),
    uptime: Math.round((context.now() - context.startedAt) / 1_000),
    pool: {
      'max-concurrency': target.concurrency(),
      processes: [context.pid],
      'max-tasks-per-child': 'N/A',
      'put-guarded-by-semaphore': false,
      timeouts: [0, 0],
      writes: {
        total: accepted,
        avg: '1.00',
        all: '1.00',
        raw: String(accepted),
        strategy: 'fair',
        inqueues: { total: 0, active: 0 },
      },
    },
    broker: {
      hostname: context.address.hostname,
      userid: context.address.user,
      virtual_host: context.address.virtualHost,
      port: context.address.port,
      insist: false,
      ssl: context.address.tls,
      transport: 'amqp',
      connect_timeout: 10,
      transport_options: {},
      login_method: 'PLAIN',
      uri_prefix: null,
      heartbeat,
      failover_strategy: 'round-robin',
      alternates: [],
    },
    prefetch_count: context.prefetch,
    rusage: resourceUsage(context.usage()),
  };
}

/** The names of Python's `getrusage`, whose times are seconds; Node's are microseconds. */
function resourceUsage(usage: NodeJS.ResourceUsage) {
  return {
    utime: usage.userCPUTime / 1e6,
    stime: usage.systemCPUTime / 1e6,
    maxrss: usage.maxRSS,
    ixrss: usage.sharedMemorySize,
    idrss: usage.unsharedDataSize,
    isrss: usage.unsharedStackSize,
    minflt: usage.minorPageFault,
    majflt: usage.majorPageFault,
    nswap: usage.swappedOut,
    inblock: usage.fsRead,
    oublock: usage.fsWrite,
    msgsnd: usage.ipcSent,
    msgrcv: usage.ipcReceived,
    nsignals: usage.signalsCount,
    nvcsw: usage.voluntaryContextSwitches,
    nivcsw: usage.involuntaryContextSwitches,
  };
}

/** One task of `active` and `reserved`. Arguments are omitted, because they contain tokens and paths. */
export function taskInfo(task: ControlTask, context: ControlContext) {
  return {
    id: task.id,
    name: task.name,
    args: [],
    kwargs: {},
    type: task.name,
    hostname: context.nodeName,
    time_start: task.startedAt === null ? null : task.startedAt / 1_000,
    // it was acknowledged when it was written to the journal, even if it still waits
    acknowledged: true,
    delivery_info: {
      exchange: '',
      routing_key: task.queue,
      priority: task.priority,
      redelivered: task.redelivered,
    },
    worker_pid: task.startedAt === null ? null : context.pid,
  };
}

/** One task of `scheduled`. The priority is that of Celery's timer, the same for every task. */
export function scheduledTask(task: ControlTask, context: ControlContext) {
  return { eta: task.eta, priority: 6, request: taskInfo(task, context) };
}

export function queriedTasks(ids: readonly string[], target: ControlTarget, context: ControlContext) {
  const wanted = new Set(ids);
  const found = (state: string, tasks: readonly ControlTask[]) =>
    tasks
      .filter((task) => wanted.has(task.id))
      .map((task): [string, unknown] => [task.id, [state, taskInfo(task, context)]]);
  return Object.fromEntries([
    ...found('ready', target.ready()),
    ...found('scheduled', target.scheduled()),
    ...found('reserved', target.reserved()),
    ...found('active', target.active()),
  ]);
}

export function activeQueues(context: ControlContext) {
  return context.queues.map((name) => ({
    name,
    exchange: {
      name,
      type: 'direct',
      arguments: null,
      durable: true,
      passive: false,
      auto_delete: false,
      delivery_mode: null,
      no_declare: false,
    },
    routing_key: name,
    queue_arguments: null,
    binding_arguments: null,
    consumer_arguments: null,
    durable: true,
    exclusive: false,
    auto_delete: false,
    no_ack: false,
    alias: null,
    bindings: [],
    no_declare: null,
    expires: null,
    message_ttl: null,
    max_length: null,
    max_length_bytes: null,
    max_priority: null,
  }));
}
