import type { PullLauncher } from '../../apptainer/ingest.js';
import type { RunCommand } from '../../base/command.js';
import type { Settings } from '../../config/schema.js';

/** The Slurm job name of one run's pulls. */
const nameOf = (key: string): string => `dsa-slurm-ingest-${key}`;

/** Runs pulls and queries of images on this host, or in Slurm jobs with the profile's partition, account and QOS. */
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
    // srun cancels its job when it exits, but not when it is killed
    async cancelLeftovers(key) {
      await run('scancel', ['--me', `--name=${nameOf(key)}`]);
    },
  };
}

/** Variables that a pull may need: registry credentials, proxies and certificates. */
const registryNames =
  /^((APPTAINER|SINGULARITY)_DOCKER_.*|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REGISTRY_AUTH_FILE|DOCKER_CONFIG|XDG_RUNTIME_DIR|TMPDIR)$/i;

/**
 * The variables with registry credentials and those needed to reach a registry. Only pulls get them, and they never
 * appear on a command line.
 */
export function registryEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => registryNames.test(name)));
}
