import type { ChannelModel, Options, SocketOptions } from 'amqplib';
import { systemClock, type Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { readBrokerUrl, type BrokerAddress } from './amqp/broker-url.js';
import { connect as amqpConnect, connectBroker, type BrokerFiles } from './amqp/amqplib.js';
import { backoffDelay } from '../base/backoff.js';
import type { Broker, BrokerStatus } from './broker.js';
import type { ControlTarget } from './control/control-target.js';
import { createEventPublisher, type EventPublisherOptions } from './control/events.js';
import { createForwarder, type ForwarderOptions } from './task-forwarder.js';
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
  /** Deliveries of each queue that may be unsettled at one time. */
  prefetch: number;
  /** Such as `celery@host`; unique among the workers of one broker. */
  nodeName: string;
  /**
   * Accepts a task. Resolves when the task is stored durably; only then is it acknowledged. If it rejects, the message is
   * requeued after a while. The same task can arrive again, for example after a broken connection.
   */
  onTask: (task: Task) => Promise<void>;
  /** Called before a message is dropped. If it rejects, the message is requeued after a while instead. */
  onRefused: (refusal: Refusal) => Promise<void>;
  control: ControlTarget;
  events: Pick<EventPublisherOptions, 'version' | 'heartbeats' | 'taskEvents'>;
  /** Queue for the tasks that this worker does not run; null: `onTask` gets all tasks. */
  forward: Pick<ForwarderOptions, 'queue' | 'canRun'> | null;
  /** Called on every change. */
  onStatus: (status: BrokerStatus) => void;
  log: Log;
  clock?: Clock;
  connect?: Connect;
}

const connectMs = 10_000;
/** Results that wait for a connection. */
const bufferedResults = 1_000;
/** After a connection that lasted this long, the backoff starts again from its shortest delay. */
const stableMs = 60_000;
const drainMs = 5_000;
const closingMs = 2_000;

/**
 * The worker's broker client: one connection at a time, opened again after each loss.
 *
 * amqplib's own recovery is not used: it would retry a refused password forever, it restarts its backoff with each
 * connection (a queue that is deleted repeatedly makes it spin), and it does not accept a clock.
 *
 * @throws DsaSlurmError `config` for invalid queue names
 */
export function createBrokerClient(options: BrokerOptions): Broker {
  const { queues, forward, log, clock = systemClock } = options;
  checkQueueNames(queues);
  if (forward !== null) checkForwardQueue(forward.queue, queues);

  const closing = new AbortController();
  const status = createStatus(options.onStatus, clock, log);
  // problems while connected
  let shortage: string | null = null;
  let forwardProblem: string | null = null;
  let session: BrokerSession | null = null;
  let isConsuming = true;
  let running = Promise.resolve();
  let closed: Promise<void> | null = null;

  const reportConnected = () => {
    if (session !== null) status.set(isConsuming ? 'consuming' : 'paused', shortage ?? forwardProblem);
  };
  const { openSession, results, publisher, events } = createSessionOpener(options, clock, {
    shouldConsume: () => isConsuming,
    onBlocked(reason) {
      shortage =
        reason === null
          ? null
          : `RabbitMQ is low on memory or disk space and accepts no messages: ${reason}.`;
      reportConnected();
    },
    onForwardProblem(problem) {
      forwardProblem = problem;
      reportConnected();
    },
  });

  /** Runs one connection until it ends, and returns the reason. */
  const connectOnce = async (address: BrokerAddress, onConnected: () => void): Promise<unknown> => {
    let opened: BrokerSession | null = null;
    try {
      opened = await openSession(address);
      if (closing.signal.aborted) return null;
      session = opened;
      // consuming may have been paused or resumed while the connection was opened
      await opened.consumer.update();
      shortage = null;
      reportConnected();
      onConnected();
      return await opened.ended;
    } catch (error) {
      return error;
    } finally {
      session = null;
      await opened?.close();
    }
  };

  /** Reconnects until `close()`. `first` is settled by the first attempt. */
  const keepConnected = async (address: BrokerAddress, first: PromiseWithResolvers<void>) => {
    let isFirstAttempt = true;
    let wasConnected = false;
    for (let attempt = 0; ; attempt += 1) {
      const began = clock.monotonic();
      const cause = await connectOnce(address, () => {
        wasConnected = true;
        isFirstAttempt = false;
        first.resolve();
      });
      if (closing.signal.aborted) return first.resolve();
      const { error, permanent } = toBrokerError(cause, address);
      status.set(wasConnected ? 'disconnected' : 'connecting', errorLine(error));
      if (isFirstAttempt && permanent) return first.reject(error);
      isFirstAttempt = false;
      first.resolve();
      if (clock.monotonic() - began >= stableMs) attempt = 0;
      await clock.sleep(backoffDelay(attempt, { initialMs: 500, maxMs: 30_000 }), closing.signal);
    }
  };

  const setConsuming = async (consume: boolean) => {
    isConsuming = consume;
    if (session === null) return;
    // a connection that RabbitMQ has blocked answers only when it is unblocked
    await withTimeout(closingMs, session.consumer.update(), clock);
    status.set(isConsuming ? 'consuming' : 'paused', status.current().problem);
  };

  const connected = (): BrokerSession => {
    if (session === null) throw new DsaSlurmError('broker', 'Not connected to RabbitMQ.');
    return session;
  };

  const close = async () => {
    isConsuming = false;
    closing.abort();
    const last = session;
    if (last !== null) {
      await withTimeout(closingMs, last.consumer.update(), clock);
      await withTimeout(drainMs, last.consumer.drained(), clock);
      await withTimeout(closingMs, events.close(), clock);
      await last.close();
    }
    // a connection attempt can take longer; it closes what it opened
    await withTimeout(closingMs, running, clock);
    status.set('closed', null);
  };

  return {
    async start() {
      const address = readBrokerUrl(options.url);
      const first = Promise.withResolvers<void>();
      running = keepConnected(address, first);
      await first.promise;
    },
    pauseConsuming: async () => setConsuming(false),
    resumeConsuming: async () => setConsuming(true),
    async publishResult(task, result) {
      const message = resultMessage(task, result);
      if (message !== null) results.send(message);
    },
    publishTaskEvent: events.task,
    publish: async (message, signal) => publisher.publish(message, signal),
    queueDepths: async () => connected().queueDepths(),
    queueDepth: async (queue) => connected().queueDepth(queue),
    status: status.current,
    close: async () => (closed ??= close()),
  };
}

/** Tracks the state of the connection; logs and reports each change. `closed` is final. */
function createStatus(onStatus: BrokerOptions['onStatus'], clock: Clock, log: Log) {
  let status: BrokerStatus = { state: 'connecting', since: clock.now(), problem: null };
  return {
    current: () => status,
    set(state: BrokerStatus['state'], problem: string | null) {
      if (status.state === 'closed' || (state === status.state && problem === status.problem)) return;
      if (problem === null) log.info({ state }, 'broker');
      else log.warn({ state, problem }, 'broker');
      status = { state, since: state === status.state ? status.since : clock.now(), problem };
      onStatus(status);
    },
  };
}

interface SessionHooks {
  shouldConsume: () => boolean;
  /** See {@link BrokerSession}. */
  onBlocked: (reason: string | null) => void;
  /** Called with a sentence while tasks wait for the forward queue, with null when none does. */
  onForwardProblem: (problem: string | null) => void;
}

/** Creates what outlives single connections, and the function that opens a session with it. */
function createSessionOpener(options: BrokerOptions, clock: Clock, hooks: SessionHooks) {
  const { queues, prefetch, nodeName, forward, log, connect = amqpConnect } = options;
  const startedAt = clock.now();
  const lamport = createLamportClock();
  // remembered, because the broker refuses Celery's kind of mailbox on every connection
  const mailbox: { kind: MailboxKind } = { kind: 'celery' };
  const results = createResultBuffer<ResultMessage>(bufferedResults, ({ correlationId }) =>
    log.warn({ run: correlationId }, 'result dropped: the buffer is full'),
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
  const forwarder =
    forward === null
      ? null
      : createForwarder({
          ...forward,
          publisher,
          clock,
          log,
          onWaiting(waiting) {
            hooks.onForwardProblem(
              waiting === null
                ? null
                : `${waiting.count === 1 ? '1 task waits' : `${waiting.count} tasks wait`} to be forwarded to the queue "${forward.queue}": ${waiting.reason}`,
            );
          },
        });
  const handleDelivery = createDeliveryHandler({ ...options, forward: forwarder, clock });

  const openSession = async (address: BrokerAddress): Promise<BrokerSession> => {
    const connection = await connectBroker(address, options.files ?? {}, connectMs, connect);
    return openBrokerSession(connection, {
      consumer: { queues, prefetch, shouldConsume: hooks.shouldConsume, handleDelivery },
      control: {
        target: options.control,
        context: {
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
        },
        mailbox,
        clock,
      },
      results,
      publisher,
      events,
      clock,
      log,
      onBlocked: hooks.onBlocked,
    });
  };
  return { openSession, results, publisher, events };
}
