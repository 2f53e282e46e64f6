/** Makes files from answers. Other rooms of the wizard import from here. */
import type { PlannedFile, SiteAnswers } from '../init-answers.js';
import { checkAnswers } from './check-answers.js';
import { deploymentFiles } from './deployment-files.js';
import { profileFile } from './profile.js';
import { serviceFile, submitScript, type ServicePlace } from './worker-files.js';

export { brokerUrl } from './addresses.js';

export interface PlanPlaces extends ServicePlace {
  /** What the profile's file holds now; null if it is not there. */
  profileText: string | null;
}

/**
 * Every file of a site. Same answers and places, same files, byte for byte: nothing is read but this package's templates.
 * @throws DsaSlurmError `usage` for answers that no file can be made from, `config` for a profile that is no JSON object
 */
export function planFiles(answers: SiteAnswers, places: PlanPlaces): PlannedFile[] {
  checkAnswers(answers);
  return [
    profileFile(answers, places.configDir, places.profileText),
    submitScript(answers),
    serviceFile(answers, places),
    ...(answers.deployment === null ? [] : deploymentFiles(answers, answers.deployment)),
  ];
}
