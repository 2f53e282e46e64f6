import type { Log } from '../../base/log.js';
import { heartbeat, type BrokerAddress } from '../amqp/broker-url.js';
import type { ControlTarget, ControlTask } from './control-target.js';
import type { EventPublisher } from './events.js';
import type { LamportClock } from './lamport.js';

/** What the answers tell about this worker besides its tasks. */
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
  /** Of this process, as `process.resourceUsage()`. */
  usage(): NodeJS.ResourceUsage;
  log: Log;
}

// The shapes are those of Celery 5.2 and 5.6 (contract, section g, `fixtures/pidbox`): Girder's status page and
// Flower read single keys of them without a check.

/** Free text; that it is there makes the worker appear on Girder's status page. */
export function report(site: ControlContext): string {
  return [
    `dsa-slurm worker ${site.nodeName}, node.js ${process.version}, ${process.platform}`,
    `broker: ${site.address.masked}`,
    `queues: ${site.queues.join(', ')}`,
  ].join('\n');
}

export function configuration(site: ControlContext) {
  return {
    accept_content: ['json'],
    broker_url: site.address.masked,
    result_backend: 'rpc://',
    task_queues: [...site.queues],
    worker_prefetch_multiplier: site.prefetch,
  };
}

export function stats(target: ControlTarget, site: ControlContext) {
  const totals = target.totals();
  const accepted = Object.values(totals).reduce((sum, count) => sum + count, 0);
  // Girder's page reads the first count only, in the order of the names, and takes the active tasks of every name off it
  const sum = Object.keys(totals).length > 1 ? { '(all tasks)': accepted } : {};
  return {
    total: { ...sum, ...totals },
    pid: site.pid,
    clock: String(site.clock.value()),
    uptime: Math.round((site.now() - site.startedAt) / 1_000),
    pool: {
      'max-concurrency': target.concurrency(),
      processes: [site.pid],
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
      hostname: site.address.hostname,
      userid: site.address.user,
      virtual_host: site.address.virtualHost,
      port: site.address.port,
      insist: false,
      ssl: site.address.tls,
      transport: 'amqp',
      connect_timeout: 10,
      transport_options: {},
      login_method: 'PLAIN',
      uri_prefix: null,
      heartbeat,
      failover_strategy: 'round-robin',
      alternates: [],
    },
    prefetch_count: site.prefetch,
    rusage: resourceUsage(site.usage()),
  };
}

/** Python's names; its times are seconds, Node's are microseconds. */
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

/** One task of `active` and `reserved`. Arguments are left out: they carry tokens and paths. */
export function taskInfo(task: ControlTask, site: ControlContext) {
  return {
    id: task.id,
    name: task.name,
    args: [],
    kwargs: {},
    type: task.name,
    hostname: site.nodeName,
    time_start: task.startedAt === null ? null : task.startedAt / 1_000,
    // It is in the journal, so the broker is rid of it, even if it waits.
    acknowledged: true,
    delivery_info: {
      exchange: '',
      routing_key: task.queue,
      priority: task.priority,
      redelivered: task.redelivered,
    },
    worker_pid: task.startedAt === null ? null : site.pid,
  };
}

/** One task of `scheduled`. The priority is that of Celery's own timer, which is the same for every task. */
export function scheduledTask(task: ControlTask, site: ControlContext) {
  return { eta: task.eta, priority: 6, request: taskInfo(task, site) };
}

export function queriedTasks(ids: readonly string[], target: ControlTarget, site: ControlContext) {
  const wanted = new Set(ids);
  const found = (state: string, tasks: readonly ControlTask[]) =>
    tasks
      .filter((task) => wanted.has(task.id))
      .map((task): [string, unknown] => [task.id, [state, taskInfo(task, site)]]);
  return Object.fromEntries([
    ...found('ready', target.ready()),
    ...found('scheduled', target.scheduled()),
    ...found('reserved', target.reserved()),
    ...found('active', target.active()),
  ]);
}

export function activeQueues(site: ControlContext) {
  return site.queues.map((name) => ({
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
