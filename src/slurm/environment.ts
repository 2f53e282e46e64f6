/**
 * Variables of the worker's environment that Slurm's commands, the batch script and the container runtime need.
 * `APPTAINER*` includes `APPTAINERENV_*`, which sets a variable in every container.
 */
const needed =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|SLURM_CONF|SLURM_CONF_SERVER|SLURM_JWT|(APPTAINER|SINGULARITY)(ENV)?_.*)$/;

/** Registry credentials are for pulls only: see `registryEnvironment`. */
const registrySecret = /^(APPTAINER|SINGULARITY)_DOCKER_/;

/**
 * The environment for Slurm's commands. sbatch exports its environment into the job, so this is an allowlist: a shell's
 * environment holds secrets under unpredictable names, and defaults of Slurm's commands (`SQUEUE_FORMAT`,
 * `SBATCH_PARTITION`, …) that would change their output or the job.
 * @param named further names, from the setting `slurm.environment`; a trailing `*` matches any suffix
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
