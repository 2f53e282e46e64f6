import type { ChannelModel, Options, SocketOptions } from 'amqplib';
import { systemClock, type Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { readBrokerUrl, type BrokerAddress } from './amqp/broker-url.js';
import { connect as amqpConnect, connectBroker, type BrokerFiles } from './amqp/amqplib.js';
import { backoffDelay } from '../base/backoff.js';
import type { Broker, BrokerStatus } from './broker.js';
import type { ControlContext } from './control/control-replies.js';
import type { ControlTarget } from './control/control-target.js';
import { createEventPublisher, type EventPublisherOptions } from './control/events.js';
import { createForwarder } from './task-forwarder.js';
import { createLamportClock } from './control/lamport.js';
import type { Refusal } from './messages/read-task.js';
import { createResultBuffer } from './result-buffer.js';
import { createPublisher } from './publisher.js';
import { resultMessage, type ResultMessage } from './messages/results.js';
import { openBrokerSession, type BrokerSession } from './amqp/broker-session.js';
import { createDeliveryHandler } from './delivery-handler.js';
import type { Task } from './messages/task.js';
import { checkForwardQueue, checkQueueNames, type MailboxKind } from './amqp/topology.js';
import { toBrokerError } from './amqp/broker-errors.js';
import { withTimeout } from './amqp/with-timeout.js';

/** amqplib's `connect`, without its own recovery. */
export type Connect = (options: Options.Connect, socket: SocketOptions) => Promise<ChannelModel>;

export interface BrokerOptions {
  /** `amqp://user:password@host:port/vhost`. */
  url: string;
  /** Files for `amqps://`. */
  files?: BrokerFiles;
  queues: readonly string[];
  /** Messages of each queue that may be in hand, not yet taken over, at one time. */
  prefetch: number;
  /** Such as `celery@host`; no two workers of one broker may share it. */
  nodeName: string;
  /**
   * Takes a task over. Resolves when it is safe with us, and only then is it acknowledged; if it rejects the message
   * goes back to the queue after a while. The same task can come again: after a broken connection, for one.
   */
  onTask: (task: Task) => Promise<void>;
  /** A message is about to be thrown away; if this rejects it goes back to the queue after a while instead. */
  onRefused: (refusal: Refusal) => Promise<void>;
  control: ControlTarget;
  /** What is told in Celery's events, and as which version of this program. */
  events: Pick<EventPublisherOptions, 'version' | 'heartbeats' | 'taskEvents'>;
  /** Where tasks go that are not run here; null: `onTask` has them too. */
  forward: { queue: string; canRun: (taskName: string) => boolean } | null;
  /** Told of every change. */
  onStatus: (status: BrokerStatus) => void;
  log: Log;
  clock?: Clock;
  connect?: Connect;
}

const connectMs = 10_000;
const keptResults = 1_000;
/** A connection that lasted this long was a good one, and the waiting begins from its shortest again. */
const steadyMs = 60_000;
const lastDeliveriesMs = 5_000;
const closingMs = 2_000;

/**
 * The worker's end of the wire: one connection at a time, set up anew after each loss.
 *
 * amqplib has a recovery of its own. It is not used: it would repeat a refused password for ever, it starts its delays
 * afresh with each connection, so that a queue that is deleted again and again makes it spin, and it cannot be given
 * a clock.
 *
 * @throws DsaSlurmError `config` for impossible queue names
 */
export function createBrokerClient(options: BrokerOptions): Broker {
  const { url, queues, prefetch, nodeName, log, clock = systemClock, connect = amqpConnect } = options;
  checkQueueNames(queues);
  if (options.forward !== null) checkForwardQueue(options.forward.queue, queues);
  const closing = new AbortController();
  const startedAt = clock.now();
  const lamport = createLamportClock();
  // These outlive the connections: what the broker once refused, and what waits to be published.
  const mailbox: { kind: MailboxKind } = { kind: 'celery' };
  /** What is wrong while there is a connection. */
  const troubles: { shortage: string | null; forward: string | null } = { shortage: null, forward: null };
  const results = createResultBuffer<ResultMessage>(keptResults, ({ correlationId }) =>
    log.warn({ run: correlationId }, 'result dropped: too many wait for the broker'),
  );
  const publisher = createPublisher({ clock, log });
  const events = createEventPublisher({
    ...options.events,
    nodeName,
    pid: process.pid,
    target: options.control,
    lamport,
    clock,
    log,
  });
  const settle = createDeliveryHandler({
    onTask: options.onTask,
    onRefused: options.onRefused,
    forward:
      options.forward === null
        ? null
        : createForwarder({
            ...options.forward,
            publisher,
            clock,
            log,
            onWaiting(waiting) {
              troubles.forward =
                waiting === null
                  ? null
                  : `${waiting.count === 1 ? 'A task that is not ours waits' : `${waiting.count} tasks that are not ours wait`} for the queue "${options.forward?.queue}": ${waiting.why}`;
              tellTroubles();
            },
          }),
    clock,
    log,
  });

  let status: BrokerStatus = { state: 'connecting', since: startedAt, trouble: null };
  let session: BrokerSession | null = null;
  let isOpen = true;
  let running = Promise.resolve();
  let isClosed: Promise<void> | null = null;

  const setStatus = (state: BrokerStatus['state'], trouble: string | null) => {
    if (status.state === 'closed' || (state === status.state && trouble === status.trouble)) return;
    if (trouble === null) log.info({ state }, 'broker');
    else log.warn({ state, trouble }, 'broker');
    status = { state, since: state === status.state ? status.since : clock.now(), trouble };
    options.onStatus(status);
  };
  const flowing = () => (isOpen ? 'consuming' : 'paused');
  const tellTroubles = () => {
    if (session !== null) setStatus(flowing(), troubles.shortage ?? troubles.forward);
  };

  const openOnce = async (address: BrokerAddress): Promise<BrokerSession> => {
    const connection = await connectBroker(address, options.files ?? {}, connectMs, connect);
    return openBrokerSession(connection, {
      consumer: { queues, prefetch, shouldConsume: () => isOpen, handleDelivery: settle },
      control: { target: options.control, context: controlSite(address), mailbox, clock },
      results,
      publisher,
      events,
      clock,
      log,
      onBlocked(reason) {
        const shortage = `RabbitMQ is short of memory or disk and takes no messages: ${reason}.`;
        troubles.shortage = reason === null ? null : shortage;
        tellTroubles();
      },
    });
  };

  const controlSite = (address: BrokerAddress): ControlContext => ({
    nodeName,
    queues,
    prefetch,
    address,
    startedAt,
    now: () => clock.now(),
    clock: lamport,
    events,
    pid: process.pid,
    usage: () => process.resourceUsage(),
    log,
  });

  /** One connection from its beginning to its end, and why it ended. */
  const connectOnce = async (address: BrokerAddress, onConnected: () => void): Promise<unknown> => {
    let opened: BrokerSession | null = null;
    try {
      opened = await openOnce(address);
      if (closing.signal.aborted) return null;
      session = opened;
      // The wish may have changed while the connection was opened.
      await opened.consumer.update();
      troubles.shortage = null;
      tellTroubles();
      onConnected();
      return await opened.ended;
    } catch (error) {
      return error;
    } finally {
      session = null;
      await opened?.close();
    }
  };

  /** Goes on until `close()`. `first` is settled with the first attempt. */
  const keepConnected = async (address: BrokerAddress, first: PromiseWithResolvers<void>) => {
    let isStarting = true;
    let wasConnected = false;
    for (let attempt = 0; ; attempt += 1) {
      const began = clock.monotonic();
      const cause = await connectOnce(address, () => {
        wasConnected = true;
        isStarting = false;
        first.resolve();
      });
      if (closing.signal.aborted) return first.resolve();
      const { error, permanent: lasting } = toBrokerError(cause, address);
      setStatus(wasConnected ? 'disconnected' : 'connecting', errorLine(error));
      if (isStarting && lasting) return first.reject(error);
      isStarting = false;
      first.resolve();
      if (clock.monotonic() - began >= steadyMs) attempt = 0;
      await clock.sleep(backoffDelay(attempt, { initialMs: 500, maxMs: 30_000 }), closing.signal);
    }
  };

  const setIntake = async (open: boolean) => {
    isOpen = open;
    if (session === null) return;
    // a connection that RabbitMQ has blocked, for lack of memory or disk, answers when that is over
    await withTimeout(closingMs, session.consumer.update(), clock);
    setStatus(flowing(), status.trouble);
  };

  const connected = (): BrokerSession => {
    if (session === null) throw new DsaSlurmError('broker', 'There is no connection to RabbitMQ.');
    return session;
  };

  const close = async () => {
    isOpen = false;
    closing.abort();
    const last = session;
    if (last !== null) {
      await withTimeout(closingMs, last.consumer.update(), clock);
      await withTimeout(lastDeliveriesMs, last.consumer.drained(), clock);
      await withTimeout(closingMs, events.close(), clock);
      await last.close();
    }
    // An attempt to connect can take longer; what it opens it closes again.
    await withTimeout(closingMs, running, clock);
    setStatus('closed', null);
  };

  return {
    async start() {
      const address = readBrokerUrl(url);
      const first = Promise.withResolvers<void>();
      running = keepConnected(address, first);
      await first.promise;
    },
    pauseIntake: async () => setIntake(false),
    resumeIntake: async () => setIntake(true),
    async publishResult(task, result) {
      const message = resultMessage(task, result);
      if (message !== null) results.send(message);
    },
    publishTaskEvent: events.task,
    publish: async (message, signal) => publisher.publish(message, signal),
    queueDepths: async () => connected().queueDepths(),
    queueDepth: async (queue) => connected().queueDepth(queue),
    status: () => status,
    close: async () => (isClosed ??= close()),
  };
}
