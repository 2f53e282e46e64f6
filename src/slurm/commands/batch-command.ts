import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import { isJobId } from './values.js';

export interface CommandOutcome {
  /** Slurm accepted every call. */
  ok: boolean;
  /** What the command printed, or why it could not run; empty if it printed nothing. */
  message: string;
}

/** One call of a command. */
export interface SlurmCall {
  file: string;
  args: string[];
}

/** Maximum number of ids per call. */
const batchSize = 100;

/** Splits ids into batches, one per call. */
export function inBatches(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / batchSize) }, (_, index) =>
    ids.slice(index * batchSize, (index + 1) * batchSize),
  );
}

/** The error if some ids are not job ids; null if all are. */
export function wrongIds(jobIds: readonly string[]): CommandOutcome | null {
  const wrong = jobIds.filter((id) => !isJobId(id));
  return wrong.length === 0 ? null : { ok: false, message: `${wrong.length} of the ids are not job ids` };
}

/**
 * Runs calls in sequence and collects their messages.
 * @param ignoredErrors messages which mean that the jobs are already in the requested state
 */
export async function runCalls(
  run: RunCommand,
  calls: readonly SlurmCall[],
  { ignoredErrors, ...options }: CommandOptions & { ignoredErrors?: RegExp } = {},
): Promise<CommandOutcome> {
  const messages: string[] = [];
  let ok = true;
  for (const { file, args } of calls) {
    const result = await run(file, args, options);
    const output = result.kind === 'exited' ? `${result.stderr}\n${result.stdout}` : '';
    const lines = output.split('\n').filter((line) => line.trim() !== '');
    const errors = ignoredErrors === undefined ? lines : lines.filter((line) => !ignoredErrors.test(line));
    messages.push(...errors);
    const succeeded =
      result.kind === 'exited' && (result.exitCode === 0 || (lines.length > 0 && errors.length === 0));
    if (succeeded) continue;
    ok = false;
    if (errors.length === 0) messages.push(`${file} ${describeFailure(result)}`);
  }
  return { ok, message: messages.join('\n').slice(0, 4_000) };
}
