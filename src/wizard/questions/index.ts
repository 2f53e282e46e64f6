import { catalog, type Setting } from '../../config/index.js';
import { deploymentQuestions } from './deployment.js';
import { directoryQuestions } from './directories.js';
import { executorQuestions } from './executor.js';
import { serviceQuestions } from './services.js';
import { slurmQuestions } from './slurm.js';
import type { Question } from './question.js';

export {
  environmentName,
  messageOf,
  sections,
  type Choice,
  type Question,
  type Section,
} from './question.js';

/** All questions, in order. Each can use the answers to the previous ones. */
export const questions: readonly Question[] = [
  ...executorQuestions,
  ...directoryQuestions,
  ...slurmQuestions,
  ...deploymentQuestions,
  ...serviceQuestions,
];

/** Settings with a question of the same key: its answer is written to the profile. */
export const answeredSettings: readonly Setting[] = catalog.filter((setting) =>
  questions.some(({ key }) => key === setting.key),
);
