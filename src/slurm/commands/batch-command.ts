import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import { isJobId } from './values.js';

export interface CommandOutcome {
  /** Every call was taken. */
  ok: boolean;
  /** What the command itself said, or why it could not be asked; empty when it said nothing. */
  said: string;
}

/** One call of a command. */
export interface SlurmCall {
  file: string;
  args: string[];
}

/** Ids in one call. */
const batchSize = 100;

/** Splits ids into portions for one call each. */
export function inBatches(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / batchSize) }, (_, index) =>
    ids.slice(index * batchSize, (index + 1) * batchSize),
  );
}

/** Says that some of the ids are no job ids; null if all are. */
export function wrongIds(jobIds: readonly string[]): CommandOutcome | null {
  const wrong = jobIds.filter((id) => !isJobId(id));
  return wrong.length === 0 ? null : { ok: false, said: `${wrong.length} of the ids are no job ids` };
}

/**
 * Runs calls one after the other and puts together what they said.
 * @param harmless complaints that mean that what was wanted is so already
 */
export async function runCalls(
  run: RunCommand,
  calls: readonly SlurmCall[],
  { harmless, ...options }: CommandOptions & { harmless?: RegExp } = {},
): Promise<CommandOutcome> {
  const words: string[] = [];
  let ok = true;
  for (const { file, args } of calls) {
    const result = await run(file, args, options);
    const answer = result.kind === 'exited' ? `${result.stderr}\n${result.stdout}` : '';
    const lines = answer.split('\n').filter((line) => line.trim() !== '');
    const complaints = harmless === undefined ? lines : lines.filter((line) => !harmless.test(line));
    words.push(...complaints);
    const isFine =
      result.kind === 'exited' && (result.exitCode === 0 || (lines.length > 0 && complaints.length === 0));
    if (isFine) continue;
    ok = false;
    if (complaints.length === 0) words.push(`${file} ${describeFailure(result)}`);
  }
  return { ok, said: words.join('\n').slice(0, 4_000) };
}
