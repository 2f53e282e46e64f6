import type { AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { warning, ok, problem, type ValidationResult } from './validation-result.js';
import { withoutControlCharacters } from './text.js';

/** Memory: `2` is megabytes for Slurm, which is rarely meant. */
export async function memory(value: AnswerValue, context: ValidateContext): Promise<ValidationResult> {
  const text = String(value ?? '');
  if (/^\d+$/.test(text) && !context.accepted.has(`memory:${text}`)) {
    return warning(
      `memory:${text}`,
      `Without a unit, Slurm takes ${text} as ${text} megabytes.`,
      `For gigabytes, answer ${text}G.`,
    );
  }
  return jobRequest(value, context);
}

/** Checks partition, account, QOS, time, memory and CPUs so far with `sbatch --test-only`. */
export async function jobRequest(
  value: AnswerValue,
  { draft, probes, detected }: ValidateContext,
): Promise<ValidationResult> {
  const text = withoutControlCharacters(value);
  if (value === null || text.kind !== 'ok') return text;
  if (!/^[\w.,:@+-]{1,200}$/.test(String(value))) {
    return problem('sbatch does not accept this value.', 'Use letters, digits, dots, colons and hyphens.');
  }
  if (!detected.slurm.found) return ok();
  const message = await probes.slurm.test(draft.slurm ?? {});
  if (message === null) return ok();
  return problem(
    `Slurm would reject such a job: ${message}.`.replace('..', '.'),
    'Give another answer, or - for none.',
  );
}

export async function partitionName(value: AnswerValue, context: ValidateContext): Promise<ValidationResult> {
  if (value === null) return ok();
  const { slurm } = context.detected;
  const known = slurm.found ? slurm.value.partitions : null;
  if (known === null) {
    return /^[\w.,-]{1,200}$/.test(String(value))
      ? ok()
      : problem('This is not a valid partition name.', 'Use letters, digits, dots and hyphens.');
  }
  // of several partitions, Slurm uses the one in which the job can start first
  for (const name of String(value).split(',')) {
    const partition = known.find((each) => each.name === name);
    if (partition === undefined) {
      return problem(
        `There is no partition ${name}.`,
        `Existing partitions: ${known.map((each) => each.name).join(', ')}.`,
      );
    }
    if (!partition.up) {
      return warning(`down:${name}`, `The partition ${name} is down.`, 'Jobs will wait until it is up.');
    }
  }
  return ok();
}

/** Only warns if the command fails here: it is often installed on the compute nodes only. */
export async function containerRuntime(
  value: AnswerValue,
  { probes }: ValidateContext,
): Promise<ValidationResult> {
  const command = String(value ?? '');
  if (!/^[\w./+-]{1,500}$/.test(command)) {
    return problem('This is not a command.', 'Use apptainer, singularity or a path.');
  }
  const version = await probes.apptainer(command);
  if (version !== null) return ok(`${command} ${version}`);
  return warning(
    `apptainer:${command}`,
    `${command} does not work on this host.`,
    'Images cannot be inspected on this host. Install it, or make sure that it is installed on the nodes.',
  );
}
