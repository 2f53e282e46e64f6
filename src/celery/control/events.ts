import { loadavg, type as systemType } from 'node:os';
import type { Channel, ChannelModel } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import { coerceError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { ControlTarget } from './control-target.js';
import type { LamportClock } from './lamport.js';
import { eventExchange } from '../amqp/topology.js';

/**
 * A task event and its specific fields (contract, section h). Arguments contain tokens and there is no Python traceback, but
 * Celery's own readers fail if these fields are missing, so they are empty.
 */
export type TaskEvent =
  | {
      type: 'task-received';
      uuid: string;
      name: string;
      args: '()';
      kwargs: '{}';
      root_id: string | null;
      parent_id: string | null;
      retries: number;
      eta: string | null;
      expires: string | null;
    }
  | { type: 'task-started'; uuid: string }
  /** `runtime` in seconds. */
  | { type: 'task-succeeded'; uuid: string; result: string; runtime: number }
  | { type: 'task-failed'; uuid: string; exception: string; traceback: '' }
  | { type: 'task-revoked'; uuid: string; terminated: boolean; signum: number | null; expired: boolean };

type WorkerEvent = 'worker-online' | 'worker-heartbeat' | 'worker-offline';

/**
 * Publishes Celery's events, which Flower and `celery events` read. Best effort: an event that cannot be sent now is dropped,
 * and errors do not affect tasks.
 */
export interface EventPublisher {
  /** Publishes a task event if task events are on. */
  task(event: TaskEvent): void;
  /** Turns task events on or off; false if nothing changed. */
  setTaskEvents(on: boolean): boolean;
  heartbeat(): void;
  /** Publishes through this connection until `signal` aborts. Uses a separate channel; never rejects. */
  connect(connection: ChannelModel, signal: AbortSignal): Promise<void>;
  /** Whether RabbitMQ currently blocks publishers. */
  setBlocked(blocked: boolean): void;
  /** Sends the remaining events and `worker-offline`; never rejects. */
  close(): Promise<void>;
}

export interface EventPublisherOptions {
  nodeName: string;
  version: string;
  pid: number;
  target: Pick<ControlTarget, 'activeCount' | 'totals'>;
  lamport: LamportClock;
  clock: Clock;
  /** Whether to send `worker-online`, `worker-offline` and heartbeats; Celery's `--without-heartbeat` stops all three. */
  heartbeats: boolean;
  /** Whether task events are initially on. */
  taskEvents: boolean;
  log: Log;
}

/** Seconds between heartbeats; a reader calls a worker offline after about twice this. */
const freq = 2;
/** Task events are batched for this long, so that a thousand tasks do not cause a thousand messages. */
const batchMs = 200;
/** Maximum events of one batch; further ones are dropped. */
const batchLimit = 1_000;

export function createEventPublisher(options: EventPublisherOptions): EventPublisher {
  const { nodeName, pid, target, lamport, clock, log } = options;
  let channel: Channel | null = null;
  let isBlocked = false;
  let isFull = false;
  let taskEvents = options.taskEvents;
  let batch: unknown[] = [];

  const isReady = () => channel !== null && !isBlocked && !isFull;

  const common = () => ({
    hostname: nodeName,
    // whole hours west of UTC, as Python's time.timezone
    utcoffset: Math.floor(new Date(clock.now()).getTimezoneOffset() / 60),
    pid,
    clock: lamport.forward(),
    timestamp: clock.now() / 1_000,
  });

  const publish = (routingKey: string, body: unknown) => {
    if (channel === null || !isReady()) return;
    try {
      isFull = !channel.publish(eventExchange, routingKey, Buffer.from(JSON.stringify(body)), {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        deliveryMode: 1,
        priority: 0,
        headers: { hostname: nodeName },
      });
    } catch {
      channel = null; // the connection is closing
    }
  };

  const publishWorkerEvent = (type: WorkerEvent) => {
    if (!isReady()) return;
    const software = { sw_ident: 'dsa-slurm', sw_ver: options.version, sw_sys: systemType() };
    const processed = Object.values(target.totals()).reduce((sum, count) => sum + count, 0);
    const load = loadavg().map((value) => Math.round(value * 100) / 100);
    const state = { freq, active: target.activeCount(), processed, loadavg: load };
    publish(type.replace('-', '.'), { ...common(), ...state, ...software, type });
  };

  const flush = () => {
    const events = batch;
    batch = [];
    if (events.length > 0) publish('task.multi', events);
  };

  const disconnect = () => {
    channel = null;
    isFull = false;
    isBlocked = false;
    batch = [];
  };

  const sendHeartbeats = async (signal: AbortSignal) => {
    for (;;) {
      await clock.sleep(freq * 1_000, signal);
      if (signal.aborted) return;
      publishWorkerEvent('worker-heartbeat');
    }
  };

  return {
    task(event) {
      if (!taskEvents || !isReady() || batch.length >= batchLimit) return;
      batch.push({ ...common(), ...event });
      if (batch.length === 1) void clock.sleep(batchMs).then(flush);
    },
    setTaskEvents(on) {
      if (taskEvents === on) return false;
      taskEvents = on;
      if (!on) flush();
      return true;
    },
    heartbeat: () => publishWorkerEvent('worker-heartbeat'),
    async connect(connection, signal) {
      try {
        const opened = await connection.createChannel();
        opened.on('error', (error: Error) => {
          disconnect();
          log.info({ reason: error.message }, 'no Celery events on this connection');
        });
        opened.on('close', disconnect);
        opened.on('drain', () => {
          isFull = false;
        });
        await opened.assertExchange(eventExchange, 'topic', { durable: true });
        if (signal.aborted) return;
        signal.addEventListener('abort', disconnect, { once: true });
        channel = opened;
        if (!options.heartbeats) return;
        publishWorkerEvent('worker-online');
        void sendHeartbeats(signal);
      } catch (error) {
        disconnect();
        log.info({ reason: coerceError(error).message }, 'no Celery events on this connection');
      }
    },
    setBlocked(blocked) {
      isBlocked = blocked;
    },
    async close() {
      flush();
      if (options.heartbeats) publishWorkerEvent('worker-offline');
      const last = channel;
      channel = null;
      // closing the channel first makes sure that RabbitMQ has read what was published
      await last?.close().catch(() => {
        // already closed
      });
    },
  };
}
