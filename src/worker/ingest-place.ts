import type { Settings } from '../config/schema.js';

/** What the commands that pull an image and ask it are put behind: nothing, or `srun` with the profile's own place. */
export function ingestLauncher({ apptainer, slurm, worker }: Settings): string[] {
  if (apptainer.pullOn === 'host' || worker.executor === 'local') return [];
  const options: [name: string, value: string | null][] = [
    ['partition', slurm.partition],
    ['account', slurm.account],
    ['qos', slurm.qos],
  ];
  return [
    'srun',
    '--job-name=dsa-slurm-ingest',
    '--ntasks=1',
    '--quiet',
    ...options.flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`])),
  ];
}

/**
 * The names that the runtime reads a registry's user and password from. No other command of the worker sees them, and
 * no command line holds them.
 */
export function registryEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const names = ['APPTAINER', 'SINGULARITY'].flatMap((runtime) => [
    `${runtime}_DOCKER_USERNAME`,
    `${runtime}_DOCKER_PASSWORD`,
  ]);
  return Object.fromEntries(names.map((name) => [name, env[name]]));
}
