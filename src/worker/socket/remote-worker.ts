import { backoffDelay } from '../../base/backoff.js';
import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { CommandAnswer, Link, LogTail, WorkerHandle, WorkerSnapshot } from '../views/handle.js';
import type { ImageDetail, JobDetail, JobScript, RunDetailAnswer, LiveViews } from '../views/live-views.js';
import { createClientSession } from './client-session.js';
import { applyPatch } from './patch.js';
import type { Message } from './protocol.js';
import {
  openConnection,
  type Connection,
  type OpenedConnection,
  type OpenConnectionOptions,
} from './open-connection.js';

/** A worker in another process. While it is disconnected, its last snapshot stays and `link` says so. */
export interface RemoteWorker extends WorkerHandle {
  /** Disconnects. The worker keeps running. */
  close(): void;
}

/** Delay between attempts to reconnect. */
const reconnectDelays = { initialMs: 200, maxMs: 3_000 };

/**
 * Follows a worker, and reconnects when it is restarted.
 * @param beginning its first snapshot
 */
export function attach(
  first: Connection,
  beginning: WorkerSnapshot,
  options: OpenConnectionOptions,
  clock: Clock,
): RemoteWorker {
  const over = new AbortController();
  const listeners = new Set<() => void>();
  const session = createClientSession();
  const watched = createSharedWatches(session.follow);
  let connection: Connection | null = first;
  /** The worker's snapshot, to which patches are applied. */
  let received: unknown = beginning;
  let link: Extract<Link, { kind: 'socket' }> = {
    kind: 'socket',
    path: first.path,
    pid: first.pid,
    at: clock.now(),
    problem: null,
    ended: false,
  };
  let shown: WorkerSnapshot = { ...beginning, link };
  let lastMessageAt = link.at;

  function show(changed: Partial<WorkerSnapshot>, newLink: typeof link): void {
    link = newLink;
    shown = { ...shown, ...changed, link };
    for (const listener of listeners) listener();
  }

  function take(message: Message, { path, pid }: Connection): void {
    switch (message.say) {
      case 'snapshot':
        received = applyPatch(received, message.patch);
        return show(received as WorkerSnapshot, {
          kind: 'socket',
          path,
          pid,
          at: clock.now(),
          problem: null,
          ended: false,
        });
      case 'answer':
      case 'refused':
      case 'view':
        return session.take(message);
      case 'bye':
        throw new Error(message.reason);
      case 'beat':
      case 'welcome':
    }
  }

  /** Resolves with the reason why the connection ended. */
  async function listen(to: Connection): Promise<string> {
    session.begin((line) => to.socket.write(line));
    try {
      for await (const message of to.messages) {
        lastMessageAt = clock.now();
        take(message, to);
      }
      return 'It closed the connection.';
    } catch (error) {
      return sentence(errorLine(error));
    } finally {
      to.socket.destroy();
    }
  }

  function lose(why: string): void {
    session.end(why);
    watched.lose(why);
    show({}, { ...link, at: lastMessageAt, problem: why });
  }

  async function reconnect(): Promise<Connection | null> {
    for (let attempt = 0; ; attempt++) {
      await clock.sleep(backoffDelay(attempt, reconnectDelays), over.signal);
      if (over.signal.aborted) return null;
      const reached = await openConnection(options);
      if (reached.kind === 'welcome') {
        received = undefined;
        return reached.connection;
      }
      const ended = reached.kind === 'absent';
      const problem = ended ? link.problem : absence(reached);
      if (problem !== link.problem || ended !== link.ended) show({}, { ...link, problem, ended });
    }
  }

  async function keepListening(): Promise<void> {
    while (connection !== null) {
      const why = await listen(connection);
      if (over.signal.aborted) return;
      lose(why);
      connection = await reconnect();
      if (over.signal.aborted) connection?.socket.destroy();
    }
  }
  void keepListening();

  return {
    snapshot: () => shown,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch: watched.watch,
    followLog: (run, listener) =>
      session.follow({ ask: 'followLog', run }, (view) => listener(view as LogTail)),
    runDetail: async (run) =>
      session.ask<RunDetailAnswer>({ ask: 'runDetail', run }, (message) => ({ ok: false, message })),
    jobDetail: async (job) =>
      session.ask<JobDetail>({ ask: 'jobDetail', job }, (message) => ({
        jobId: job,
        facts: [],
        at: null,
        problem: message,
      })),
    jobScript: async (job) =>
      session.ask<JobScript>({ ask: 'jobScript', job }, (message) => ({
        jobId: job,
        lines: [],
        omitted: 0,
        at: null,
        problem: message,
      })),
    imageDetail: async (file) =>
      session.ask<ImageDetail>({ ask: 'imageDetail', file }, (message) => ({ ok: false, message })),
    act: async (action) => session.ask({ ask: 'act', action }, refused),
    changeNodes: async (change, nodes) =>
      session.ask({ ask: 'changeNodes', change, nodes: [...nodes] }, refused),
    pause: async () => session.ask({ ask: 'intake', wish: 'pause' }, refused),
    resume: async () => session.ask({ ask: 'intake', wish: 'resume' }, refused),
    drain: async () => session.ask({ ask: 'intake', wish: 'drain' }, refused),
    close() {
      over.abort();
      listeners.clear();
      connection?.socket.destroy();
    },
  };
}

/** System errors such as `read ECONNRESET` are not sentences. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `The connection was lost: ${text}.`;
}

function refused(message: string): CommandAnswer {
  return { ok: false, message };
}

/** Why there is no connection, as a sentence. */
export function absence(reached: Exclude<OpenedConnection, { kind: 'welcome' }>): string {
  switch (reached.kind) {
    case 'absent':
      return 'No worker runs for this profile.';
    case 'elsewhere':
      return `The worker of this profile runs on ${reached.host} (process ${reached.pid}), and its socket is only there.`;
    case 'refused':
      return reached.message;
  }
}

/** Shares one subscription to a view among several listeners. While disconnected, the view stays and says why. */
function createSharedWatches(
  follow: (
    question: { ask: 'watch'; what: keyof LiveViews },
    listener: (view: unknown) => void,
  ) => () => void,
): Pick<WorkerHandle, 'watch'> & { lose(why: string): void } {
  interface Shared {
    view: LiveViews[keyof LiveViews] | null;
    listeners: Set<(view: never) => void>;
    stop: () => void;
  }
  const shared = new Map<keyof LiveViews, Shared>();

  const tell = (one: Shared, view: LiveViews[keyof LiveViews]): void => {
    one.view = view;
    for (const listener of one.listeners) listener(view as never);
  };

  return {
    watch(what, listener) {
      const one = shared.get(what) ?? { view: null, listeners: new Set(), stop: () => undefined };
      one.listeners.add(listener);
      if (!shared.has(what)) {
        shared.set(what, one);
        one.stop = follow({ ask: 'watch', what }, (view) => tell(one, view as LiveViews[keyof LiveViews]));
      } else if (one.view !== null) listener(one.view as never);
      return () => {
        if (!one.listeners.delete(listener) || one.listeners.size > 0) return;
        one.stop();
        shared.delete(what);
      };
    },
    lose(why) {
      for (const one of shared.values()) if (one.view !== null) tell(one, { ...one.view, problem: why });
    },
  };
}
