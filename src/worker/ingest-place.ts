import type { IngestPlace } from '../apptainer/ingest.js';
import type { RunCommand } from '../base/command.js';
import type { Settings } from '../config/schema.js';

/** The name of the jobs of one run. */
const nameOf = (key: string): string => `dsa-slurm-ingest-${key}`;

/** Where images are pulled and asked: on this host, or in jobs of Slurm in the profile's own place. */
export function ingestPlace({ apptainer, slurm, worker }: Settings, run: RunCommand): IngestPlace {
  if (apptainer.pullOn === 'host' || worker.executor === 'local') {
    return { launcher: () => [], sweep: async () => undefined };
  }
  const options: [name: string, value: string | null][] = [
    ['partition', slurm.partition],
    ['account', slurm.account],
    ['qos', slurm.qos],
  ];
  return {
    launcher: (key) => [
      'srun',
      `--job-name=${nameOf(key)}`,
      '--ntasks=1',
      '--quiet',
      ...options.flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`])),
    ],
    // srun ends its job when it is ended itself; one that was killed cannot
    async sweep(key) {
      await run('scancel', ['--me', `--name=${nameOf(key)}`]);
    },
  };
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
