import type { PullLauncher } from '../../apptainer/ingest.js';
import type { RunCommand } from '../../base/command.js';
import type { Settings } from '../../config/schema.js';

/** The name of the jobs of one run. */
const nameOf = (key: string): string => `dsa-slurm-ingest-${key}`;

/** Where images are pulled and asked: on this host, or in jobs of Slurm in the profile's own place. */
export function createPullLauncher({ apptainer, slurm, worker }: Settings, run: RunCommand): PullLauncher {
  if (apptainer.pullOn === 'host' || worker.executor === 'local') {
    return { prefix: () => [], cancelLeftovers: async () => undefined };
  }
  const options: [name: string, value: string | null][] = [
    ['partition', slurm.partition],
    ['account', slurm.account],
    ['qos', slurm.qos],
  ];
  return {
    prefix: (key) => [
      'srun',
      `--job-name=${nameOf(key)}`,
      '--ntasks=1',
      '--quiet',
      ...options.flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`])),
    ],
    // srun ends its job when it is ended itself; one that was killed cannot
    async cancelLeftovers(key) {
      await run('scancel', ['--me', `--name=${nameOf(key)}`]);
    },
  };
}

/** What a pull may need besides: how to reach a registry, and whom to trust. */
const registryNames =
  /^((APPTAINER|SINGULARITY)_DOCKER_.*|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REGISTRY_AUTH_FILE|DOCKER_CONFIG|XDG_RUNTIME_DIR|TMPDIR)$/i;

/**
 * The variables that the runtime reads a registry's user and password from, and those by which it reaches a registry. No
 * other command of the worker sees them, and no command line holds them.
 */
export function registryEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => registryNames.test(name)));
}
