import PQueue from 'p-queue';

import { backoffDelay } from '../../base/backoff.js';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { RefusalCause } from '../../slurm/refusals.js';
import type { SubmitResult } from '../../slurm/commands/sbatch.js';
import { withQueueSlot } from './limit-concurrency.js';

/** A run that is about to be submitted. */
export interface Submitter {
  runId: string;
  /** Partition, account and QOS of the job: Slurm refuses the runs of one target for the same reasons. */
  target: string;
  /** The user chose the target, so a refusal does not affect other runs. */
  isOwnTarget: boolean;
  /** Whether a job with this target was accepted before. */
  hasWorked: () => boolean;
  /** Called with the reason why the run waits, and with null when it no longer waits. */
  onWait: (refusal: WaitingRefusal | null) => void;
  signal: AbortSignal;
}

/** An answer that says for certain whether there is a job. */
export type ClearResult = Exclude<SubmitResult, { kind: 'unclear' }>;

export interface WaitingRefusal {
  cause: Exclude<RefusalCause, 'request'>;
  /** Slurm's message. */
  message: string;
}

/** Retries submissions that Slurm refuses temporarily, and closes the intake when several runs are refused. */
export interface SubmitGate {
  /**
   * Submits until Slurm accepts the job or refuses it permanently. Of the waiting runs of one target only the first
   * retries; the others follow once it is accepted.
   * @throws the reason of the submitter's signal
   */
  pass(submitter: Submitter, submit: () => Promise<ClearResult>): Promise<ClearResult>;
  /** Several different runs were refused in a row, so more tasks would only wait, too. */
  isClosed(): boolean;
  /** Why runs wait for Slurm to accept jobs, for the operator. Null if none waits, or only for a submit limit. */
  problem(): string | null;
}

/** Number of different runs refused in a row that closes the intake. */
const closeAfter = 3;
/** The intake reopens after this time even if no job was accepted, so that tasks for other targets get through. */
const reopenMs = 120_000;
/** How long an unknown refusal is retried if the same target was accepted before. */
const unknownPatienceMs = 15 * 60_000;
const firstWaitMs = 2_000;
const maxWaitMs = 30_000;

/** Runs of one target. Waiting runs are in the queue, and its first one retries. */
interface Target {
  queue: PQueue;
  runs: number;
  /** The last refusal, null once a job was accepted. */
  refusal: WaitingRefusal | null;
  refusedAt: number;
  /** Refusals since the last acceptance. */
  refusals: number;
}

/** @param onChange called when {@link SubmitGate.isClosed} or {@link SubmitGate.problem} may have changed */
export function createSubmitGate({
  clock,
  log,
  stopping,
  onChange,
}: {
  clock: Clock;
  log: Log;
  stopping: AbortSignal;
  onChange: () => void;
}): SubmitGate {
  const targets = new Map<string, Target>();
  const waiting = new Map<string, WaitingRefusal & { since: number }>();
  /** Runs whose first submission was refused, since the last acceptance. */
  const refusedInARow = new Set<string>();
  let reopening = false;

  const isClosed = (): boolean => refusedInARow.size >= closeAfter;

  function note(submitter: Submitter, refusal: WaitingRefusal): void {
    const known = waiting.get(submitter.runId);
    waiting.set(submitter.runId, { ...refusal, since: known?.since ?? clock.now() });
    if (known?.message === refusal.message) return;
    const facts = { run: submitter.runId, target: submitter.target, message: refusal.message };
    if (refusal.cause === 'limit') log.info(facts, 'a submit limit is reached; the run waits');
    else log.warn(facts, 'Slurm refuses the job for now; the run waits');
    submitter.onWait(refusal);
    if (known === undefined && refusal.cause !== 'limit' && !submitter.isOwnTarget) {
      refusedInARow.add(submitter.runId);
      if (isClosed()) void reopenLater();
    }
    onChange();
  }

  async function reopenLater(): Promise<void> {
    if (reopening) return;
    reopening = true;
    log.error({ runs: [...refusedInARow] }, 'several runs in a row were refused; the intake is closed');
    await clock.sleep(reopenMs, stopping);
    reopening = false;
    const [first] = refusedInARow;
    refusedInARow.clear();
    // so that fewer further refusals close it again
    if (first !== undefined) refusedInARow.add(first);
    onChange();
  }

  /** The run no longer waits, for whatever reason. */
  function leave({ runId, onWait }: Submitter): void {
    if (!waiting.delete(runId)) return;
    refusedInARow.delete(runId);
    onWait(null);
    onChange();
  }

  function enter(name: string): Target {
    const target = targets.get(name) ?? newTarget();
    targets.set(name, target);
    target.runs += 1;
    return target;
  }

  function refuse(submitter: Submitter, target: Target, refusal: WaitingRefusal): void {
    target.refusal = refusal;
    target.refusals += 1;
    target.refusedAt = clock.monotonic();
    note(submitter, refusal);
  }

  /** Retries until the refusal is over. Only the first run in the queue of its target does this. */
  async function retryUntilAccepted(
    submitter: Submitter,
    target: Target,
    submit: () => Promise<ClearResult>,
    until: number,
  ): Promise<ClearResult> {
    for (;;) {
      if (target.refusal !== null) {
        const pause = backoffDelay(target.refusals - 1, { initialMs: firstWaitMs, maxMs: maxWaitMs });
        await clock.sleep(Math.max(0, target.refusedAt + pause - clock.monotonic()), submitter.signal);
        submitter.signal.throwIfAborted();
      }
      const answer = await submit();
      const refusal = temporaryRefusal(answer, submitter);
      if (refusal === null || clock.monotonic() >= until) {
        accepted(target, answer);
        return answer;
      }
      refuse(submitter, target, refusal);
    }
  }

  function accepted(target: Target, answer: ClearResult): void {
    target.refusal = null;
    target.refusals = 0;
    if (answer.kind !== 'submitted' || refusedInARow.size === 0) return;
    refusedInARow.clear();
    onChange();
  }

  return {
    async pass(submitter, submit) {
      const { signal } = submitter;
      const target = enter(submitter.target);
      try {
        if (target.refusal === null) {
          const answer = await submit();
          const refusal = temporaryRefusal(answer, submitter);
          if (refusal === null) {
            accepted(target, answer);
            return answer;
          }
          // an unknown refusal may concern this run only, so it must not delay other runs
          if (refusal.cause === 'unknown') {
            const own = newTarget();
            refuse(submitter, own, refusal);
            return await retryUntilAccepted(submitter, own, submit, clock.monotonic() + unknownPatienceMs);
          }
          refuse(submitter, target, refusal);
        } else {
          note(submitter, target.refusal);
        }
        return await withQueueSlot(target.queue, signal, async () =>
          retryUntilAccepted(submitter, target, submit, Number.POSITIVE_INFINITY),
        );
      } finally {
        leave(submitter);
        target.runs -= 1;
        if (target.runs === 0) targets.delete(submitter.target);
      }
    },
    isClosed,
    problem() {
      const serious = [...waiting.values()].filter(({ cause }) => cause !== 'limit');
      const [first] = serious;
      if (first === undefined) return null;
      const runs = serious.length === 1 ? '1 run waits' : `${serious.length} runs wait`;
      return `Slurm accepts no jobs at present, so ${runs}: ${first.message}`;
    },
  };
}

function newTarget(): Target {
  return { queue: new PQueue({ concurrency: 1 }), runs: 0, refusal: null, refusedAt: 0, refusals: 0 };
}

/** The refusal that the run waits out; null for a final answer. */
function temporaryRefusal(answer: ClearResult, { hasWorked }: Submitter): WaitingRefusal | null {
  if (answer.kind !== 'refused' || answer.cause === 'request') return null;
  const { cause } = answer;
  if ((cause === 'account' || cause === 'unknown') && !hasWorked()) return null;
  return { cause, message: answer.message.replaceAll(/\s*\n\s*/g, ' ') };
}
