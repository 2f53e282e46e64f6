import { isLocal } from '../flow/partial-answers.js';
import { pattern } from '../validate/text.js';
import type { Question } from './question.js';

export const executorQuestions: readonly Question[] = [
  {
    key: 'worker.executor',
    section: 'Jobs',
    message: 'Where shall analyses run?',
    about:
      '`slurm`: as jobs of Slurm; `local`: on this host itself, a few at a time. Not asked where Slurm answers: there it is `slurm`, unless something says otherwise.',
    kind: 'choice',
    flag: '--executor',
    choices: () => [
      { value: 'slurm', name: 'on the nodes of a Slurm cluster' },
      { value: 'local', name: 'on this host itself, without Slurm' },
    ],
    proposal: () => 'slurm',
    asked: (_draft, { slurm }, known) => !slurm.found || isLocal(known),
  },
  {
    key: 'worker.localJobs',
    section: 'Jobs',
    message: 'Analyses that run at one time',
    about: 'How many analyses this host runs at one time, with the executor `local`.',
    kind: 'number',
    flag: '--local-jobs',
    when: isLocal,
    proposal: () => 2,
    validate: (value) => pattern(value, /^([1-9]\d{0,2}|1000)$/, 'a whole number from 1 to 1000'),
  },
];
