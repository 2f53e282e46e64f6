import { createHash } from 'node:crypto';

import type { Clock } from '../base/clock.js';
import { DsaSlurmError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Broker, Refusal } from '../celery/broker.js';
import type { Task } from '../celery/messages/task.js';
import { whyNotRunnable } from '../girder/protocol/task-names.js';
import type { RunStore } from './run-state/run-store.js';

export type RequestedIntake = 'open' | 'paused' | 'draining';

/** The way in: from the broker to a run that is durably in the journal. */
export interface TaskAcceptor {
  /** Resolves once the run is in the journal, or was there already; then the message may be acknowledged. */
  onTask(task: Task): Promise<void>;
  /** A message that cannot be a task still fails its Girder job, if it names one, and whoever waits for a result hears of it. */
  onRefused(refusal: Refusal): Promise<void>;
  /** Opens or closes the flow to what the operator and the in-flight limit say. */
  adjust(): void;
  /** The operator's wish; `draining` is paused, with an end that is told. */
  request(wish: RequestedIntake): void;
  /** `blocked`: the journal cannot be written, or Slurm accepts no jobs; it opens by itself once they do. */
  state(): RequestedIntake | 'full' | 'blocked';
  /** While it drains: since when nothing is in flight any more. */
  drainedAt(): number | null;
}

/**
 * A task of this name is answered at once: it shows that the way from the broker and back is open (`doctor --deep`). It
 * becomes no run, so neither journal nor console keeps anything of it.
 */
export const pingTask = 'dsa_slurm.doctor.ping';

/** Whether tasks of this name are for this worker; others are handed on, if there is a queue for them. */
export function isSupportedTask(taskName: string): boolean {
  return taskName === pingTask || whyNotRunnable(taskName) === null;
}

export interface TaskAcceptorOptions {
  runStore: RunStore;
  /** The broker whose flow is opened and closed; null until there is one. */
  broker: () => Broker | null;
  limit: number;
  /** Slurm refuses the jobs of several runs, so that more of them would only wait. */
  isClosed: () => boolean;
  /** Whether the task of this id was revoked before it came. */
  isRevoked: (id: string) => boolean;
  /** Called once for each new run. */
  onRun: (id: string) => void;
  clock: Clock;
  log: Log;
}

export function createTaskAcceptor({
  runStore,
  broker,
  limit,
  isClosed,
  isRevoked,
  onRun,
  clock,
  log,
}: TaskAcceptorOptions): TaskAcceptor {
  const accepting = new Map<string, Promise<void>>();
  let wish: RequestedIntake = 'open';
  let drainedAt: number | null = null;
  let flowing = true;
  let change: Promise<void> = Promise.resolve();

  const isBlocked = (): boolean => runStore.problem() !== null || isClosed();
  const full = (): boolean => runsInFlight(runStore, limit) + accepting.size >= limit;

  async function accept(task: Task, refusal: string | null): Promise<void> {
    // delivered twice, on one connection or the next: still one run
    const already = accepting.get(task.id);
    if (already !== undefined) return already;
    if (runStore.get(task.id) !== undefined) {
      log.info({ run: task.id }, 'this task is known already');
      return;
    }
    if (full()) {
      adjust();
      throw new DsaSlurmError('worker', 'The in-flight limit is reached.');
    }
    const accepted = (async (): Promise<void> => {
      await runStore.accept({ task, refusal });
      if (isRevoked(task.id)) await runStore.record(task.id, { type: 'cancel-requested', by: 'celery' });
    })();
    accepting.set(task.id, accepted);
    try {
      await accepted;
    } finally {
      accepting.delete(task.id);
    }
    log.info(
      { run: task.id, task: task.name },
      refusal === null ? 'accepted' : 'its Girder job is going to be told',
    );
    adjust();
    onRun(task.id);
  }

  function noticeDrained(): void {
    const isDrained = wish === 'draining' && runStore.inFlight() + accepting.size === 0;
    if (isDrained && drainedAt === null) log.info('drained: nothing is in flight any more');
    drainedAt = isDrained ? (drainedAt ?? clock.now()) : null;
  }

  function adjust(): void {
    noticeDrained();
    const wanted = wish === 'open' && !full() && !isBlocked();
    if (wanted === flowing) return;
    flowing = wanted;
    change = change
      .then(async () => (wanted ? broker()?.resumeConsuming() : broker()?.pauseConsuming()))
      .catch((error: unknown) => log.warn({ err: error }, 'the intake could not be changed'));
  }

  runStore.onProblem(adjust);

  return {
    async onTask(task) {
      if (task.name === pingTask) await broker()?.publishResult(task, { status: 'SUCCESS' });
      else await accept(task, null);
    },
    async onRefused(refusal) {
      log.error(
        { queue: refusal.queue, id: refusal.id, task: refusal.name, reason: refusal.reason },
        'refused a message',
      );
      const { id, headers, reason } = refusal;
      if (headers !== null && 'jobInfoSpec' in headers) {
        await accept(refusedTask(refusal, id ?? standInId(headers['jobInfoSpec']), headers), reason);
      } else if (id !== null) {
        await broker()?.publishResult({ ...refusal, id }, { status: 'FAILURE', message: reason });
      }
    },
    adjust,
    request(value) {
      wish = value;
      adjust();
    },
    state() {
      if (wish !== 'open') return wish;
      if (isBlocked()) return 'blocked';
      return full() ? 'full' : 'open';
    },
    drainedAt: () => drainedAt,
  };
}

/**
 * Of the limit on runs in flight. Runs that only wait for a Girder that is away take none, up to as many again as the
 * limit allows: one Girder must not keep the tasks of another one from being taken.
 */
export function runsInFlight(
  runStore: Pick<RunStore, 'inFlight' | 'waitingForGirder'>,
  limit: number,
): number {
  return runStore.inFlight() - Math.min(runStore.waitingForGirder(), limit);
}

/** The id of a run whose message has none: the same one if the message is delivered twice. */
function standInId(jobInfoSpec: unknown): string {
  return `refused-${createHash('sha256').update(JSON.stringify(jobInfoSpec)).digest('hex').slice(0, 32)}`;
}

function refusedTask(refusal: Refusal, id: string, headers: Record<string, unknown>): Task {
  return {
    id,
    name: refusal.name ?? '',
    headers,
    body: '',
    queue: refusal.queue,
    replyTo: refusal.replyTo,
    correlationId: refusal.correlationId,
    ignoreResult: refusal.ignoreResult,
    eta: null,
    expires: null,
    retries: 0,
    rootId: null,
    parentId: null,
    priority: null,
    redelivered: false,
  };
}
