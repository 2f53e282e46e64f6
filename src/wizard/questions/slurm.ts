import { withoutControlCharacters } from '../validate/text.js';
import { containerRuntime, jobRequest, memory, partitionName } from '../validate/slurm.js';
import { isLocal } from '../flow/partial-answers.js';
import type { Detection } from '../detect/detect.js';
import type { Choice, Question } from './question.js';

/** All partitions, the default first. */
function partitions({ slurm }: Detection): { name: string; note: string }[] {
  const known = slurm.found ? (slurm.value.partitions ?? []) : [];
  return known
    .toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault))
    .map(({ name, isDefault, up, timeLimit, nodes }) => ({
      name,
      note: [
        ...(isDefault ? ['default'] : []),
        ...(up ? [] : ['down']),
        timeLimit === null ? 'no time limit' : `up to ${duration(timeLimit)}`,
        ...(nodes === null ? [] : [nodes === 1 ? '1 node' : `${nodes} nodes`]),
      ].join(', '),
    }));
}

/** `2 days`, `90 min` */
export function duration(seconds: number): string {
  if (seconds % 86_400 === 0) return plural(seconds / 86_400, 'day');
  if (seconds % 3_600 === 0) return plural(seconds / 3_600, 'hour');
  return plural(Math.round(seconds / 60), 'min', 'min');
}

function plural(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

function partitionChoices(detected: Detection, none: string): readonly Choice[] {
  const known = partitions(detected);
  const width = Math.max(0, ...known.map(({ name }) => name.length));
  return [
    ...known.map(({ name, note }) => ({ value: name, name: `${name.padEnd(width)}  ${note}` })),
    { value: '-', name: none },
  ];
}

const usesSlurm: Question['when'] = (draft) => !isLocal(draft);

const hasGpus = (detected: Detection): boolean => detected.gpus.found;

export const slurmQuestions: readonly Question[] = [
  {
    key: 'slurm.partition',
    section: 'Slurm',
    when: usesSlurm,
    message: 'Partition of jobs',
    about: 'Partition of jobs.',
    kind: 'choice',
    flag: '--partition',
    optional: true,
    choices: (_draft, detected) => partitionChoices(detected, 'none: Slurm’s default'),
    proposal: (_draft, detected) => {
      const known = detected.slurm.found ? (detected.slurm.value.partitions ?? []) : [];
      return known.find(({ isDefault }) => isDefault)?.name ?? null;
    },
    validate: partitionName,
  },
  {
    key: 'slurm.account',
    section: 'Slurm',
    when: usesSlurm,
    message: 'Account that jobs are charged to',
    about: 'Slurm account of jobs.',
    kind: 'text',
    flag: '--account',
    optional: true,
    proposal: (_draft, { association }) => (association.found ? association.value.account : null),
    asked: (_draft, { slurm }) => !slurm.found || slurm.value.accounting !== false,
    validate: jobRequest,
  },
  {
    key: 'slurm.qos',
    section: 'Slurm',
    when: usesSlurm,
    message: 'Quality of service',
    about: 'QOS of jobs.',
    kind: 'text',
    flag: '--qos',
    optional: true,
    // the DefaultQOS of the default account is not that of another one
    proposal: ({ slurm }, { association }) =>
      association.found && (slurm?.account ?? association.value.account) === association.value.account
        ? association.value.qos
        : null,
    asked: (_draft, { slurm }) => !slurm.found || slurm.value.accounting !== false,
    validate: jobRequest,
  },
  {
    key: 'slurm.time',
    section: 'Slurm',
    when: usesSlurm,
    message: 'Time limit of a job, such as 04:00:00',
    about: 'Default time limit of jobs.',
    kind: 'text',
    flag: '--time',
    optional: true,
    proposal: () => null,
    validate: jobRequest,
  },
  {
    key: 'slurm.mem',
    section: 'Slurm',
    when: usesSlurm,
    message: 'Memory of a job, such as 16G',
    about: 'Default memory per node of jobs.',
    kind: 'text',
    flag: '--mem',
    optional: true,
    proposal: () => null,
    validate: memory,
  },
  {
    key: 'slurm.cpus',
    section: 'Slurm',
    when: usesSlurm,
    message: 'CPUs of a job',
    about: 'Default CPUs per task of jobs.',
    kind: 'number',
    flag: '--cpus',
    optional: true,
    proposal: () => null,
    validate: jobRequest,
  },
  {
    key: 'slurm.gpuPartition',
    section: 'Slurm',
    when: usesSlurm,
    message: 'Partition of jobs that need a GPU',
    about: 'Partition of jobs whose image needs a GPU.',
    kind: 'choice',
    flag: '--gpu-partition',
    optional: true,
    choices: (_draft, detected) => partitionChoices(detected, 'none: the same as for other jobs'),
    proposal: (_draft, { gpus }) => (gpus.found ? (gpus.value[0]?.partition ?? null) : null),
    asked: (_draft, detected) => hasGpus(detected),
    validate: partitionName,
  },
  {
    key: 'slurm.gpuGres',
    section: 'Slurm',
    when: usesSlurm,
    message: 'GPUs of a job that needs one',
    about: 'Generic resources of jobs whose image needs a GPU.',
    kind: 'text',
    flag: '--gpu-gres',
    optional: true,
    proposal: (_draft, detected) => (hasGpus(detected) ? 'gpu:1' : null),
    asked: (_draft, detected) => hasGpus(detected),
    validate: withoutControlCharacters,
  },
  {
    key: 'apptainer.command',
    section: 'Slurm',
    message: 'Command of the container runtime on the nodes',
    localMessage: 'Command of the container runtime',
    about: '`apptainer`, `singularity` or a path on the compute nodes.',
    kind: 'text',
    flag: '--apptainer',
    proposal: (_draft, { apptainer }) => (apptainer.found ? apptainer.value.command : 'apptainer'),
    asked: (_draft, { apptainer }) => !apptainer.found,
    validate: containerRuntime,
  },
];
