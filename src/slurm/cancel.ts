import { commandTrouble, type CommandOptions, type RunCommand } from '../base/command.js';
import { isJobId } from './values.js';

export interface CancelAnswer {
  /** Every batch was taken, or its jobs were over already. */
  ok: boolean;
  /** What scancel itself said, or why it could not be asked; empty when it said nothing. */
  said: string;
}

/** Ids in one call of scancel. */
const batchSize = 100;

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
): Promise<CancelAnswer> {
  const words: string[] = [];
  let ok = true;
  const wrong = jobIds.filter((id) => !isJobId(id));
  if (wrong.length > 0) return { ok: false, said: `${wrong.length} of the ids are no job ids` };
  // squeue shows a waiting array with its throttle (`4_[0-5%2]`) and may cut the list: then the whole array is meant.
  const ids = jobIds.map((id) => id.replace(/_\[.*$/, ''));
  for (let start = 0; start < ids.length; start += batchSize) {
    const result = await run('scancel', ids.slice(start, start + batchSize), options);
    const answer = result.kind === 'exited' ? `${result.stderr}\n${result.stdout}` : '';
    const lines = answer.split('\n').filter((line) => line.trim() !== '');
    const complaints = lines.filter((line) => !alreadyOver.test(line));
    words.push(...complaints);
    if (
      result.kind === 'exited' &&
      (result.exitCode === 0 || (lines.length > 0 && complaints.length === 0))
    ) {
      continue;
    }
    ok = false;
    if (complaints.length === 0) words.push(`scancel ${commandTrouble(result)}`);
  }
  return { ok, said: words.join('\n').slice(0, 4_000) };
}
