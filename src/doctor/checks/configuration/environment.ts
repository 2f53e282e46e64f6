import { readProfile } from '../../../config/profile.js';
import { catalog } from '../../../config/index.js';
import { basename, dirname } from 'node:path';
import type { Check, ConfigurationFacts, Finding } from '../../check.js';
import { combine, ok, skip, warn } from '../../check-result.js';

/** Docker options for every container; Apptainer's differ. */
const dockerOptions = 'GIRDER_WORKER_DOCKER_RUN_OPTIONS';

/** Reports environment variables that override the profile. Values are never shown. */
export function judgeEnvironment(
  origins: ConfigurationFacts['origins'],
  inProfile: ReadonlySet<string>,
  env: Readonly<Record<string, string | undefined>>,
): Finding {
  const findings: Finding[] = [];
  for (const { key } of catalog) {
    const origin = origins[key];
    if (origin?.source !== 'environment' || origin.name === undefined) continue;
    findings.push(
      inProfile.has(key)
        ? warn(`${origin.name} in the environment overrides ${key} of the profile.`, `unset ${origin.name}`)
        : ok(`${key} comes from ${origin.name} in the environment`),
    );
  }
  const ignored = Object.keys(env)
    .filter((name) => /^(SBATCH|SQUEUE|SACCT|SINFO|SALLOC)_/.test(name))
    .toSorted();
  if (ignored.length > 0) findings.push(ok(`not passed to Slurm's commands: ${ignored.join(', ')}`));
  if (env[dockerOptions])
    findings.push(
      warn(
        `${dockerOptions} applies to Python workers only and has no effect here.`,
        `Set apptainer.options instead, and unset ${dockerOptions}.`,
      ),
    );
  if (findings.length === 0) return ok('no environment variable changes a setting');
  return combine(findings);
}

export const environment: Check = {
  id: 'configuration.environment',
  group: 'configuration',
  title: 'environment that overrides the profile',
  async run({ configuration, env, profile }) {
    if (configuration === null) return skip('no profile yet');
    if (basename(configuration.path) !== `${profile}.json`) return skip('the profile is stored elsewhere');
    const file = readProfile(dirname(configuration.path), profile);
    return judgeEnvironment(configuration.origins, new Set(file.values.keys()), env);
  },
};
