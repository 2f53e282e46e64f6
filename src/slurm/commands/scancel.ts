import type { Clock } from '../../base/clock.js';
import type { CommandOptions, RunCommand } from '../../base/command.js';
import { arrayRest } from '../array-rest.js';
import type { CancelSignal } from '../batch-script.js';
import { inBatches, runCalls, wrongIds, type CommandOutcome } from './batch-command.js';

/** What scancel says of a job that is over already: what was wanted is so. */
const alreadyOver = /invalid job id specified|already completing or completed/i;

/**
 * Cancels jobs, a hundred in one call. A job that is over already is no error. Cancelling again does no harm. The
 * waiting rest of an array ends without those of its tasks that run.
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
    // a task may have started since squeue was asked
    ...inBatches(rests).map((ids) => ({ file: 'scancel', args: ['--state=PENDING', ...ids] })),
  ];
  return wrongIds(jobIds) ?? runCalls(run, calls, { ...options, harmless: alreadyOver });
}

/**
 * Sends a signal to the batch scripts of running jobs and to nothing else of them. A plain scancel signals every process of
 * a job, the one that serves the image's files among them, so that the analysis loses its files before it can save its work.
 * Our batch script sends SIGTERM on to the container.
 * @param jobIds as squeue prints them
 */
export async function signalBatchScripts(
  run: RunCommand,
  jobIds: readonly string[],
  signal: CancelSignal,
): Promise<CommandOutcome> {
  const calls = inBatches(jobIds).map((ids) => ({
    file: 'scancel',
    args: ['--batch', `--signal=${signal}`, ...ids],
  }));
  return wrongIds(jobIds) ?? runCalls(run, calls, { harmless: alreadyOver });
}

/** Between two looks whether analyses have ended, in milliseconds: the first wait, and the longest. */
const firstLookMs = 100;
const longestLookMs = 500;

/**
 * Cancels jobs in two steps: the batch scripts of running ones of ours are asked to end their analyses, and each job is canceled
 * once its analysis has ended, after `graceMs` at the latest. Slurm calls only what it ends itself CANCELLED, so the batch script
 * waits for the second step. A job that is asked for once more meanwhile is canceled at once.
 */
export function createGentleCancel({
  run,
  clock,
  signal,
  graceMs,
  isRunning,
  isOver,
  hasEnded,
  onTrouble,
}: {
  run: RunCommand;
  clock: Clock;
  /** What asks a batch script to end its analysis; null: there is one step. */
  signal: CancelSignal | null;
  /** 0: there is one step. */
  graceMs: number;
  /** Whether a job of this worker runs. */
  isRunning: (jobId: string) => boolean;
  /** Whether a job is known to have ended. */
  isOver: (jobId: string) => boolean;
  /** Whether the analysis of a job has ended, which its batch script may survive. */
  hasEnded: (jobId: string) => Promise<boolean>;
  onTrouble: (said: string) => void;
}): (jobIds: readonly string[]) => Promise<CommandOutcome> {
  const asked = new Set<string>();

  async function cancelWhenEnded(jobIds: readonly string[]): Promise<void> {
    const until = clock.monotonic() + graceMs;
    let left = jobIds;
    for (let wait = firstLookMs; left.length > 0; wait = Math.min(wait * 2, longestLookMs)) {
      await clock.sleep(Math.min(wait, until - clock.monotonic()));
      const isLate = clock.monotonic() >= until;
      const ended = await Promise.all(left.map(async (id) => isLate || isOver(id) || hasEnded(id)));
      const ready = left.filter((id, index) => ended[index] === true && asked.delete(id));
      const { ok, said } = await cancelJobs(
        run,
        ready.filter((id) => !isOver(id)),
      );
      if (!ok) onTrouble(said);
      left = left.filter((id) => asked.has(id));
    }
  }

  return async (jobIds) => {
    if (signal === null || graceMs === 0) return cancelJobs(run, jobIds);
    const gently = jobIds.filter((id) => isRunning(id) && !asked.has(id));
    for (const id of gently) asked.add(id);
    const signaled = await signalBatchScripts(run, gently, signal);
    if (signaled.ok && gently.length > 0) void cancelWhenEnded(gently);
    const now = signaled.ok ? jobIds.filter((id) => !gently.includes(id)) : jobIds;
    for (const id of now) asked.delete(id);
    return cancelJobs(run, now);
  };
}
