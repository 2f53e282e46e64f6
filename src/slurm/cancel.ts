import type { CommandOptions, RunCommand } from '../base/command.js';
import { forJobs, type SlurmWords } from './for-jobs.js';

/** What scancel says of a job that is over already: what was wanted is so. */
const alreadyOver = /invalid job id specified|already completing or completed/i;

/**
 * Cancels jobs, a hundred in one call. A job that is over already is no error. Cancelling again does no harm.
 * @param jobIds as squeue prints them
 */
export async function cancelJobs(
  run: RunCommand,
  jobIds: readonly string[],
  options: CommandOptions = {},
): Promise<SlurmWords> {
  return forJobs(run, jobIds, (ids) => ({ file: 'scancel', args: [...ids] }), {
    ...options,
    harmless: alreadyOver,
  });
}
