import { commandTrouble, type CommandOptions, type RunCommand } from '../base/command.js';
import { isJobId } from './values.js';

export interface SlurmWords {
  /** Every call was taken. */
  ok: boolean;
  /** What the command itself said, or why it could not be asked; empty when it said nothing. */
  said: string;
}

/** Ids in one call. */
const batchSize = 100;

/**
 * Runs one command for many jobs, a hundred in one call, and puts together what it said.
 * @param jobIds as squeue prints them
 * @param call the argument vector for some of them
 * @param harmless complaints that mean that what was wanted is so already
 */
export async function forJobs(
  run: RunCommand,
  jobIds: readonly string[],
  call: (ids: readonly string[]) => { file: string; args: string[] },
  { harmless, ...options }: CommandOptions & { harmless?: RegExp } = {},
): Promise<SlurmWords> {
  const words: string[] = [];
  let ok = true;
  const wrong = jobIds.filter((id) => !isJobId(id));
  if (wrong.length > 0) return { ok: false, said: `${wrong.length} of the ids are no job ids` };
  // squeue shows a waiting array with its throttle (`4_[0-5%2]`) and may cut the list: then the whole array is meant.
  const ids = jobIds.map((id) => id.replace(/_\[.*$/, ''));
  for (let start = 0; start < ids.length; start += batchSize) {
    const { file, args } = call(ids.slice(start, start + batchSize));
    const result = await run(file, args, options);
    const answer = result.kind === 'exited' ? `${result.stderr}\n${result.stdout}` : '';
    const lines = answer.split('\n').filter((line) => line.trim() !== '');
    const complaints = harmless === undefined ? lines : lines.filter((line) => !harmless.test(line));
    words.push(...complaints);
    const isFine =
      result.kind === 'exited' && (result.exitCode === 0 || (lines.length > 0 && complaints.length === 0));
    if (isFine) continue;
    ok = false;
    if (complaints.length === 0) words.push(`${file} ${commandTrouble(result)}`);
  }
  return { ok, said: words.join('\n').slice(0, 4_000) };
}
