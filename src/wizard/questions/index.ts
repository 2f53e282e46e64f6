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

/** All questions, in the order in which they are asked. Each may use the answers of those before it. */
export const questions: readonly Question[] = [
  ...executorQuestions,
  ...directoryQuestions,
  ...slurmQuestions,
  ...deploymentQuestions,
  ...serviceQuestions,
];
