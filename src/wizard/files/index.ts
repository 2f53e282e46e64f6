/** Generates files from answers. */
import type { PlannedFile, InitAnswers } from '../init-answers.js';
import { checkAnswers } from './check-answers.js';
import { deploymentFiles } from './deployment-files.js';
import { profileFile } from './profile.js';
import { serviceFile, submitScript, type ServiceContext } from './worker-files.js';

export interface PlanContext extends ServiceContext {
  /** Current content of the profile; null if it does not exist. */
  profileText: string | null;
}

/**
 * All files of a site. The same arguments produce the same files, byte for byte: only templates of this package are read.
 * @throws DsaSlurmError `usage` for invalid answers, `config` for a profile that is not a JSON object
 */
export function planFiles(answers: InitAnswers, places: PlanContext): PlannedFile[] {
  checkAnswers(answers);
  return [
    profileFile(answers, places.configDir, places.profileText),
    submitScript(answers),
    serviceFile(answers, places),
    ...(answers.deployment === null ? [] : deploymentFiles(answers, answers.deployment)),
  ];
}
