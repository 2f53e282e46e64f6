import type { Log } from '../base/log.js';
import { programVersion } from '../base/version.js';
import type { Broker, BrokerStatus, ControlTarget } from '../celery/broker.js';
import { createBrokerClient } from '../celery/broker-client.js';
import type { Settings } from '../config/schema.js';
import type { Lease } from './run-state/lease.js';
import type { RunScheduler } from './scheduler.js';
import { isSupportedTask, type TaskAcceptor } from './task-acceptor.js';

/** Messages that the broker may deliver before the first of them is journaled. */
const prefetch = 64;

export interface WorkerBrokerOptions {
  settings: Settings;
  lease: Pick<Lease, 'hold'>;
  intake: Pick<TaskAcceptor, 'onTask' | 'onRefused'>;
  control: ControlTarget;
  scheduler: Pick<RunScheduler, 'girderJobs'>;
  onStatus: () => void;
  stopping: AbortSignal;
  log: Log;
}

/** Creates the worker's connection to RabbitMQ, without opening it. */
export function createWorkerBroker({
  settings: { broker, worker },
  lease,
  intake,
  control,
  scheduler,
  onStatus,
  stopping,
  log,
}: WorkerBrokerOptions): Broker {
  let wasDisconnected = false;
  /** A revoke published while the connection is down is lost, so after a reconnect every Girder job is read. */
  function readGirderJobs({ state }: BrokerStatus): void {
    if (state === 'disconnected') wasDisconnected = true;
    if (!wasDisconnected || (state !== 'consuming' && state !== 'paused')) return;
    wasDisconnected = false;
    // a cancel in the answer reaches `onCancel`
    for (const girderJob of scheduler.girderJobs()) girderJob.read(stopping).catch(() => undefined);
  }

  return createBrokerClient({
    url: broker.url,
    files: broker,
    queues: broker.queues,
    prefetch: Math.min(prefetch, worker.inFlight),
    nodeName: worker.name,
    // the message is acknowledged next, so make sure that this worker still owns the state directory
    async onTask(task) {
      await intake.onTask(task);
      await lease.hold();
    },
    async onRefused(refusal) {
      await intake.onRefused(refusal);
      await lease.hold();
    },
    control,
    events: {
      version: programVersion(),
      heartbeats: worker.heartbeats,
      taskEvents: worker.taskEvents,
    },
    forward: broker.forwardQueue === null ? null : { queue: broker.forwardQueue, canRun: isSupportedTask },
    onStatus(status) {
      onStatus();
      readGirderJobs(status);
    },
    log,
  });
}
