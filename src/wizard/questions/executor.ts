import { isLocal } from '../flow/partial-answers.js';
import { pattern } from '../validate/text.js';
import type { Question } from './question.js';

export const executorQuestions: readonly Question[] = [
  {
    key: 'worker.executor',
    section: 'Jobs',
    message: 'Where do analyses run?',
    about:
      '`slurm`: as Slurm jobs; `local`: on this host, a few at a time. Not asked if Slurm is detected; the default is then `slurm`.',
    kind: 'choice',
    flag: '--executor',
    choices: () => [
      { value: 'slurm', name: 'on the nodes of a Slurm cluster' },
      { value: 'local', name: 'on this host, without Slurm' },
    ],
    proposal: () => 'slurm',
    asked: (_draft, { slurm }, known) => !slurm.found || isLocal(known),
  },
  {
    key: 'worker.localJobs',
    section: 'Jobs',
    message: 'Number of concurrent analyses',
    about: 'Maximum number of concurrent analyses on this host, with the executor `local`.',
    kind: 'number',
    flag: '--local-jobs',
    when: isLocal,
    proposal: () => 2,
    validate: (value) => pattern(value, /^([1-9]\d{0,2}|1000)$/, 'a whole number from 1 to 1000'),
  },
];
