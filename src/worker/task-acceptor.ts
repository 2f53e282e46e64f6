import { createHash } from 'node:crypto';

import type { Clock } from '../base/clock.js';
import { DsaSlurmError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Broker, Refusal } from '../celery/broker.js';
import type { Task } from '../celery/messages/task.js';
import { whyNotRunnable } from '../girder/protocol/task-names.js';
import type { RunStore } from './run-state/run-store.js';

export type RequestedIntake = 'open' | 'paused' | 'draining';

/** Turns tasks from the broker into runs that are durably journaled. */
export interface TaskAcceptor {
  /** Resolves once the run is journaled, or was before; then the message may be acknowledged. */
  onTask(task: Task): Promise<void>;
  /** Handles a message that is not a valid task: fails its Girder job if it names one, else publishes a failed result. */
  onRefused(refusal: Refusal): Promise<void>;
  /** Resumes or pauses consuming, as the operator and the in-flight limit require. */
  adjust(): void;
  /** Sets what the operator requests. `draining` pauses, and logs when nothing is in flight any more. */
  request(intake: RequestedIntake): void;
  /** `blocked`: the journal cannot be written, or Slurm accepts no jobs; reopens automatically. */
  state(): RequestedIntake | 'full' | 'blocked';
  /** While draining: since when nothing is in flight. */
  drainedAt(): number | null;
}

/**
 * A task of this name is answered at once, to check the way through the broker and back (`doctor --deep`). It does not
 * become a run, so it leaves nothing in the journal or the console.
 */
export const pingTask = 'dsa_slurm.doctor.ping';

/** Whether this worker runs tasks of this name; others are forwarded if a queue is configured for them. */
export function isSupportedTask(taskName: string): boolean {
  return taskName === pingTask || whyNotRunnable(taskName) === null;
}

export interface TaskAcceptorOptions {
  runStore: RunStore;
  /** Null until the broker client exists. */
  broker: () => Broker | null;
  limit: number;
  /** Whether Slurm refuses the jobs of several runs, so that more tasks would only wait. */
  isClosed: () => boolean;
  /** Whether the task was revoked before it was delivered. */
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
  let requested: RequestedIntake = 'open';
  let drainedAt: number | null = null;
  let isConsuming = true;
  let change: Promise<void> = Promise.resolve();

  const isBlocked = (): boolean => runStore.problem() !== null || isClosed();
  const full = (): boolean => runsInFlight(runStore, limit) + accepting.size >= limit;

  async function accept(task: Task, refusal: string | null): Promise<void> {
    // a redelivered message is still one run
    const already = accepting.get(task.id);
    if (already !== undefined) return already;
    if (runStore.get(task.id) !== undefined) {
      log.info({ run: task.id }, 'this task was accepted before');
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
      refusal === null ? 'accepted' : 'accepted, to report the refusal to its Girder job',
    );
    adjust();
    onRun(task.id);
  }

  function noticeDrained(): void {
    const isDrained = requested === 'draining' && runStore.inFlight() + accepting.size === 0;
    if (isDrained && drainedAt === null) log.info('drained: no runs are in flight');
    drainedAt = isDrained ? (drainedAt ?? clock.now()) : null;
  }

  function adjust(): void {
    noticeDrained();
    const shouldConsume = requested === 'open' && !full() && !isBlocked();
    if (shouldConsume === isConsuming) return;
    isConsuming = shouldConsume;
    change = change
      .then(async () => (shouldConsume ? broker()?.resumeConsuming() : broker()?.pauseConsuming()))
      .catch((error: unknown) => log.warn({ err: error }, 'could not pause or resume the intake'));
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
        await accept(refusedTask(refusal, id ?? substituteId(headers['jobInfoSpec']), headers), reason);
      } else if (id !== null) {
        await broker()?.publishResult({ ...refusal, id }, { status: 'FAILURE', message: reason });
      }
    },
    adjust,
    request(intake) {
      requested = intake;
      adjust();
    },
    state() {
      if (requested !== 'open') return requested;
      if (isBlocked()) return 'blocked';
      return full() ? 'full' : 'open';
    },
    drainedAt: () => drainedAt,
  };
}

/**
 * The number of runs that count against the in-flight limit. Runs that only wait for a Girder that is down do not count,
 * up to as many as the limit: one Girder must not keep this worker from accepting tasks of another.
 */
export function runsInFlight(
  runStore: Pick<RunStore, 'inFlight' | 'waitingForGirder'>,
  limit: number,
): number {
  return runStore.inFlight() - Math.min(runStore.waitingForGirder(), limit);
}

/** The id of a run whose message has none; the same id if the message is redelivered. */
function substituteId(jobInfoSpec: unknown): string {
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
