import type { AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { doubt, ok, problem, type Verdict } from './validation-result.js';
import { oneLine } from './text.js';

/** Partition, account, qos, time, memory and CPUs so far, as one question to sbatch. */
export async function jobRequest(
  value: AnswerValue,
  { draft, doors, detected }: ValidateContext,
): Promise<Verdict> {
  const text = oneLine(value);
  if (value === null || text.kind !== 'ok') return text;
  if (!/^[\w.,:@+-]{1,200}$/.test(String(value))) {
    return problem('Slurm knows no such words.', 'Use letters, digits, dots, colons and dashes.');
  }
  if (!detected.slurm.found) return ok();
  const said = await doors.slurm.test(draft.slurm ?? {});
  if (said === null) return ok();
  return problem(
    `Slurm would refuse such a job: ${said}.`.replace('..', '.'),
    'Answer differently, or - for none.',
  );
}

export async function partitionName(value: AnswerValue, context: ValidateContext): Promise<Verdict> {
  if (value === null) return ok();
  const { slurm } = context.detected;
  const known = slurm.found ? slurm.value.partitions : null;
  if (known === null) {
    return /^[\w.,-]{1,200}$/.test(String(value))
      ? ok()
      : problem('This cannot be a partition.', 'Use letters, digits, dots, dashes.');
  }
  // several may be named, and Slurm takes the one that can start first
  for (const name of String(value).split(',')) {
    const partition = known.find((each) => each.name === name);
    if (partition === undefined) {
      return problem(
        `There is no partition ${name}.`,
        `There are: ${known.map((each) => each.name).join(', ')}.`,
      );
    }
    if (!partition.up) {
      return doubt(`down:${name}`, `The partition ${name} is down.`, 'Jobs wait until it is up again.');
    }
  }
  return ok();
}

/** Often it is only on the compute nodes, so what this host says is not the last word. */
export async function containerRuntime(value: AnswerValue, { doors }: ValidateContext): Promise<Verdict> {
  const command = String(value ?? '');
  if (!/^[\w./+-]{1,500}$/.test(command)) {
    return problem('This is not a command.', 'Write apptainer, singularity or a path.');
  }
  const version = await doors.apptainer(command);
  if (version !== null) return ok(`${command} ${version}`);
  return doubt(
    `apptainer:${command}`,
    `${command} does not answer on this host.`,
    'Images cannot be looked into from here. Install it, or check that the nodes have it.',
  );
}
