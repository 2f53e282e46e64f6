/** Defaults of Slurm's own commands that a login shell may have set: they would change what a command prints or asks for. */
const slurmDefaults =
  /^(SLURM|SBATCH|SALLOC|SRUN|SQUEUE|SACCT|SINFO|SCANCEL|SCONTROL|SPRIO|SSTAT|SREPORT|SACCTMGR)_/;

/** What a command needs to find and to be let into the cluster. */
const kept = new Set(['SLURM_CONF', 'SLURM_CONF_SERVER', 'SLURM_JWT']);

const secretName =
  /PASS|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL|BROKER|RESULT_BACKEND|GIRDER_WORKER_BACKEND|MONGO_URI/i;

/** An URL with a password in it. */
const secretValue = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;

/**
 * The environment for Slurm's commands. sbatch exports its own environment into the job, so everything that holds a
 * secret is left out; and so is every default of Slurm's commands (`SQUEUE_FORMAT`, `SBATCH_PARTITION`, …), because
 * the profile decides.
 */
export function slurmEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (!kept.has(name) && (slurmDefaults.test(name) || secretName.test(name))) continue;
    if (secretValue.test(value)) continue;
    result[name] = value;
  }
  result['SLURM_TIME_FORMAT'] = 'standard';
  return result;
}
