/**
 * What a command of Slurm, a batch script and a container runtime need of the worker's environment. `APPTAINER*` covers
 * `APPTAINERENV_*`, by which an operator hands a variable into every container.
 */
const needed =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|SLURM_CONF|SLURM_CONF_SERVER|SLURM_JWT|(APPTAINER|SINGULARITY)(ENV)?_.*)$/;

/** A registry's user and password are for pulls alone: see `registryEnvironment`. */
const registrySecret = /^(APPTAINER|SINGULARITY)_DOCKER_/;

/**
 * The environment for Slurm's commands. sbatch exports its own environment into the job, so only what is needed goes in:
 * a shell's environment holds secrets under names that nobody can foresee, and defaults of Slurm's commands
 * (`SQUEUE_FORMAT`, `SBATCH_PARTITION`, …) that would change what they print or ask for.
 * @param named further names, from the setting `slurm.environment`; a `*` at the end stands for any ending
 */
export function slurmEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  named: readonly string[] = [],
): Record<string, string> {
  const isNamed = (name: string): boolean =>
    named.some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each));
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (isNamed(name) || (needed.test(name) && !registrySecret.test(name))) result[name] = value;
  }
  result['SLURM_TIME_FORMAT'] = 'standard';
  return result;
}
