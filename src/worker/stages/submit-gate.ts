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
  /** Partition, account and QOS of the job: runs of one target are refused for the same reasons. */
  target: string;
  /** The target was chosen by the user of the task, so a refusal says nothing about other runs. */
  isOwnTarget: boolean;
  /** Whether a job with this target was accepted before. */
  hasWorked: () => boolean;
  /** Told why the run waits, and with null that it no longer does. */
  onWait: (refusal: WaitingRefusal | null) => void;
  signal: AbortSignal;
}

/** An answer that leaves no doubt about whether there is a job. */
export type ClearResult = Exclude<SubmitResult, { kind: 'unclear' }>;

export interface WaitingRefusal {
  cause: Exclude<RefusalCause, 'request'>;
  /** Slurm's words. */
  said: string;
}

/** Repeats submissions that Slurm refuses for the time being, and closes the intake when several runs are refused. */
export interface SubmitGate {
  /**
   * Submits until the answer is other than a refusal that passes. Of the runs of one target that wait, only the first
   * asks; the others follow when it is accepted.
   * @throws the reason of the submitter's signal
   */
  pass(submitter: Submitter, submit: () => Promise<ClearResult>): Promise<ClearResult>;
  /** Too many different runs were refused in a row: taking in more tasks would only make more of them wait. */
  isClosed(): boolean;
  /** Why runs wait for Slurm to accept jobs, for the operator. Null while none does, or only for a submit limit. */
  trouble(): string | null;
}

/** Different runs that are refused in a row before the intake closes. */
const closeAfter = 3;
/** The intake opens after this time even if nothing was accepted, so that tasks for other targets get through. */
const reopenMs = 120_000;
/** How long a refusal that nobody knows is repeated where the same target was accepted before. */
const unknownPatienceMs = 15 * 60_000;
const firstWaitMs = 2_000;
const longestWaitMs = 30_000;

/** Runs of one target. Those that wait are in the queue, and its first asks. */
interface Target {
  queue: PQueue;
  runs: number;
  /** The last refusal, null once a job was accepted. */
  refusal: WaitingRefusal | null;
  refusedAt: number;
  /** Refusals since the last acceptance. */
  refusals: number;
}

/** @param onChange called when {@link SubmitGate.isClosed} or {@link SubmitGate.trouble} may have changed */
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
  const inARow = new Set<string>();
  let reopening = false;

  const isClosed = (): boolean => inARow.size >= closeAfter;

  function note(submitter: Submitter, refusal: WaitingRefusal): void {
    const known = waiting.get(submitter.runId);
    waiting.set(submitter.runId, { ...refusal, since: known?.since ?? clock.now() });
    if (known?.said === refusal.said) return;
    const facts = { run: submitter.runId, target: submitter.target, said: refusal.said };
    if (refusal.cause === 'limit') log.info(facts, 'a submit limit is reached; the run waits');
    else log.warn(facts, 'Slurm takes no such jobs at present; the run waits');
    submitter.onWait(refusal);
    if (known === undefined && refusal.cause !== 'limit' && !submitter.isOwnTarget) {
      inARow.add(submitter.runId);
      if (isClosed()) void reopenLater();
    }
    onChange();
  }

  async function reopenLater(): Promise<void> {
    if (reopening) return;
    reopening = true;
    log.error({ runs: [...inARow] }, 'several runs in a row were refused; the intake is closed');
    await clock.sleep(reopenMs, stopping);
    reopening = false;
    const [first] = inARow;
    inARow.clear();
    // one more refusal of another run closes it again soon
    if (first !== undefined) inARow.add(first);
    onChange();
  }

  /** The run waits no longer, whatever the reason. */
  function leave({ runId, onWait }: Submitter): void {
    if (!waiting.delete(runId)) return;
    inARow.delete(runId);
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

  /** Asks again until the refusal is over; the first in the queue of its target does this. */
  async function askAgain(
    submitter: Submitter,
    target: Target,
    submit: () => Promise<ClearResult>,
    until: number,
  ): Promise<ClearResult> {
    for (;;) {
      if (target.refusal !== null) {
        const pause = backoffDelay(target.refusals - 1, { initialMs: firstWaitMs, maxMs: longestWaitMs });
        await clock.sleep(Math.max(0, target.refusedAt + pause - clock.monotonic()), submitter.signal);
        submitter.signal.throwIfAborted();
      }
      const answer = await submit();
      const refusal = passing(answer, submitter);
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
    if (answer.kind !== 'submitted' || inARow.size === 0) return;
    inARow.clear();
    onChange();
  }

  return {
    async pass(submitter, submit) {
      const { signal } = submitter;
      const target = enter(submitter.target);
      try {
        if (target.refusal === null) {
          const answer = await submit();
          const refusal = passing(answer, submitter);
          if (refusal === null) {
            accepted(target, answer);
            return answer;
          }
          // words that nobody knows may be about this run alone: it keeps no other one waiting
          if (refusal.cause === 'unknown') {
            const own = newTarget();
            refuse(submitter, own, refusal);
            return await askAgain(submitter, own, submit, clock.monotonic() + unknownPatienceMs);
          }
          refuse(submitter, target, refusal);
        } else {
          note(submitter, target.refusal);
        }
        return await withQueueSlot(target.queue, signal, async () =>
          askAgain(submitter, target, submit, Number.POSITIVE_INFINITY),
        );
      } finally {
        leave(submitter);
        target.runs -= 1;
        if (target.runs === 0) targets.delete(submitter.target);
      }
    },
    isClosed,
    trouble() {
      const serious = [...waiting.values()].filter(({ cause }) => cause !== 'limit');
      const [first] = serious;
      if (first === undefined) return null;
      const runs = serious.length === 1 ? '1 run waits' : `${serious.length} runs wait`;
      return `Slurm accepts no jobs at present, so ${runs}: ${first.said}`;
    },
  };
}

function newTarget(): Target {
  return { queue: new PQueue({ concurrency: 1 }), runs: 0, refusal: null, refusedAt: 0, refusals: 0 };
}

/** What the run waits for; null for an answer that is final. */
function passing(answer: ClearResult, { hasWorked }: Submitter): WaitingRefusal | null {
  if (answer.kind !== 'refused' || answer.cause === 'request') return null;
  const { cause } = answer;
  if ((cause === 'account' || cause === 'unknown') && !hasWorked()) return null;
  return { cause, said: answer.said.replaceAll(/\s*\n\s*/g, ' ') };
}
