import { errorLine } from '../../base/errors.js';
import type { Clock } from '../../base/clock.js';
import type { CommandOptions, RunCommand } from '../../base/command.js';
import { arrayRest } from '../array-rest.js';
import type { CancelSignal } from '../batch-script.js';
import { inBatches, runCalls, wrongIds, type CommandOutcome } from './batch-command.js';

/** scancel's messages about a job that has already ended, which is not an error here. */
const alreadyEnded = /invalid job id specified|already completing or completed/i;

/**
 * Cancels jobs, up to a hundred per call. A job that has already ended is not an error, so the call can be repeated. For the
 * pending tasks of an array, its running tasks are left alone.
 * @param jobIds as squeue prints them
 */
export async function cancelJobs(
  run: RunCommand,
  jobIds: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutcome> {
  const single = jobIds.filter((id) => arrayRest(id) === null);
  const rests = jobIds.flatMap((id) => {
    const rest = arrayRest(id);
    return rest === null ? [] : [rest.id ?? rest.array];
  });
  const calls = [
    ...inBatches(single).map((ids) => ({ file: 'scancel', args: ids })),
    // a task may have started since the last squeue
    ...inBatches(rests).map((ids) => ({ file: 'scancel', args: ['--state=PENDING', ...ids] })),
  ];
  return wrongIds(jobIds) ?? runCalls(run, calls, { ...options, ignoredErrors: alreadyEnded });
}

/**
 * Signals only the batch scripts of running jobs. A plain scancel signals every process of a job, including the one that
 * serves the image's files, so the analysis would lose its files before it can save its work. dsa-slurm's batch script
 * forwards SIGTERM to the container.
 * @param jobIds as squeue prints them
 */
export async function signalBatchScripts(
  run: RunCommand,
  jobIds: readonly string[],
  signal: CancelSignal,
  options: CommandOptions = {},
): Promise<CommandOutcome> {
  const calls = inBatches(jobIds).map((ids) => ({
    file: 'scancel',
    args: ['--batch', `--signal=${signal}`, ...ids],
  }));
  return wrongIds(jobIds) ?? runCalls(run, calls, { ...options, ignoredErrors: alreadyEnded });
}

/** Interval at which ends of analyses are polled, in milliseconds: it doubles from the first value to the second. */
const minPollMs = 100;
const maxPollMs = 500;

/**
 * Cancels jobs in two steps: the batch scripts of this worker's running jobs are signaled to end their analyses, and each job is
 * canceled once its analysis has ended, after `graceMs` at the latest. Slurm reports CANCELLED only for jobs that it ends
 * itself, so the batch script waits for the second step. Canceling a job again meanwhile takes effect at once.
 */
export function createGentleCancel({
  run,
  clock,
  signal,
  graceMs,
  isRunning,
  isOver,
  hasEnded,
  onError,
}: {
  run: RunCommand;
  clock: Clock;
  /** The signal for the first step; null: cancel in one step. */
  signal: CancelSignal | null;
  /** 0: cancel in one step. */
  graceMs: number;
  /** Whether a job belongs to this worker and is running. */
  isRunning: (jobId: string) => boolean;
  /** Whether a job is known to have ended. */
  isOver: (jobId: string) => boolean;
  /** Whether the job's analysis has ended; its batch script may still be running. */
  hasEnded: (jobId: string) => Promise<boolean>;
  onError: (message: string) => void;
}): (jobIds: readonly string[]) => Promise<CommandOutcome> {
  const asked = new Set<string>();

  async function cancelWhenEnded(jobIds: readonly string[]): Promise<void> {
    const until = clock.monotonic() + graceMs;
    let left = jobIds;
    for (let wait = minPollMs; left.length > 0; wait = Math.min(wait * 2, maxPollMs)) {
      await clock.sleep(Math.max(0, Math.min(wait, until - clock.monotonic())));
      const isLate = clock.monotonic() >= until;
      const ended = await Promise.all(left.map(async (id) => isLate || isOver(id) || hasEnded(id)));
      const ready = left.filter((id, index) => ended[index] === true && asked.delete(id));
      const { ok, message } = await cancelJobs(
        run,
        ready.filter((id) => !isOver(id)),
      );
      if (!ok) onError(message);
      left = left.filter((id) => asked.has(id));
    }
  }

  return async (jobIds) => {
    if (signal === null || graceMs === 0) return cancelJobs(run, jobIds);
    const gently = jobIds.filter((id) => isRunning(id) && !asked.has(id));
    for (const id of gently) asked.add(id);
    // scancel tries for minutes to signal a job that is just being requeued
    const signaled = await signalBatchScripts(run, gently, signal, { timeoutMs: graceMs });
    // the second step rejects only if this worker may no longer run commands; its successor then cancels these runs
    if (signaled.ok && gently.length > 0)
      cancelWhenEnded(gently).catch((error: unknown) => onError(errorLine(error)));
    const now = signaled.ok ? jobIds.filter((id) => !gently.includes(id)) : jobIds;
    for (const id of now) asked.delete(id);
    return cancelJobs(run, now);
  };
}
