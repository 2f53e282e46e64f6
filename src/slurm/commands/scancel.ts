import type { Clock } from '../../base/clock.js';
import type { CommandOptions, RunCommand } from '../../base/command.js';
import { arrayRest } from '../array-rest.js';
import { inBatches, runCalls, wrongIds, type SlurmWords } from './batch-command.js';

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
): Promise<SlurmWords> {
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
 * Sends SIGTERM to the batch scripts of running jobs and to nothing else of them. A plain scancel signals every process of
 * a job, the one that serves the image's files among them, so that the analysis loses its files before it can save its work.
 * Our batch script hands the signal on to the container.
 * @param jobIds as squeue prints them
 */
export async function terminateJobs(run: RunCommand, jobIds: readonly string[]): Promise<SlurmWords> {
  const calls = inBatches(jobIds).map((ids) => ({
    file: 'scancel',
    args: ['--batch', '--signal=TERM', ...ids],
  }));
  return wrongIds(jobIds) ?? runCalls(run, calls, { harmless: alreadyOver });
}

/**
 * Cancels jobs in two steps: running ones of ours are sent SIGTERM, and canceled `graceMs` later if they are still there. A
 * job that is asked for once more meanwhile is canceled at once.
 * @param options.isRunning whether a job of this worker runs
 * @param options.isOver whether a job is known to have ended
 */
export function createGentleCancel({
  run,
  clock,
  graceMs,
  isRunning,
  isOver,
  onTrouble,
}: {
  run: RunCommand;
  clock: Clock;
  /** 0: there is one step. */
  graceMs: number;
  isRunning: (jobId: string) => boolean;
  isOver: (jobId: string) => boolean;
  onTrouble: (said: string) => void;
}): (jobIds: readonly string[]) => Promise<SlurmWords> {
  const asked = new Set<string>();

  async function cancelLater(jobIds: readonly string[]): Promise<void> {
    await clock.sleep(graceMs);
    const left = jobIds.filter((id) => asked.delete(id) && !isOver(id));
    const { ok, said } = await cancelJobs(run, left);
    if (!ok) onTrouble(said);
  }

  return async (jobIds) => {
    const gently = graceMs > 0 ? jobIds.filter((id) => isRunning(id) && !asked.has(id)) : [];
    for (const id of gently) asked.add(id);
    const terminated = await terminateJobs(run, gently);
    if (terminated.ok && gently.length > 0) void cancelLater(gently);
    const now = terminated.ok ? jobIds.filter((id) => !gently.includes(id)) : jobIds;
    for (const id of now) asked.delete(id);
    return cancelJobs(run, now);
  };
}
