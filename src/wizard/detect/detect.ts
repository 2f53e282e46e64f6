import { userInfo } from 'node:os';
import type { Clock } from '../../base/clock.js';
import type { RunCommand } from '../../base/command.js';
import { createApptainer } from '../../apptainer/inspect.js';
import { readClusterInfo, type ClusterInfo } from '../../slurm/site.js';
import { findAssociation, findGpus, type SiteAssociation, type Gpus } from './cluster.js';
import { findDirectories, type CandidateDirectory } from './directories.js';
import { found, missing, type Found } from './found.js';
import type { SiteProbes } from './site-probes.js';

/** What was detected on this machine. */
export interface Detection {
  /** The operator. */
  user: { uid: number; gid: number };
  slurm: Found<ClusterInfo>;
  /** The operator's account, if Slurm has accounting. */
  association: Found<SiteAssociation>;
  /** Partitions with GPUs. */
  gpus: Found<readonly Gpus[]>;
  /** On this host; may differ on compute nodes. */
  apptainer: Found<{ command: string; version: string }>;
  /** Writable directories on shared file systems, most likely first. */
  directories: Found<readonly CandidateDirectory[]>;
  rabbitmq: Found<{ host: string; port: number }>;
  mongo: Found<{ host: string; port: number }>;
  girder: Found<{ apiUrl: string; version: string; major: 3 | 5 }>;
  /** Whether systemd runs services of this user. */
  systemd: Found<true>;
}

interface DetectOptions {
  run: RunCommand;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  probes: Pick<SiteProbes, 'listens' | 'girder'>;
  /** Total time limit in milliseconds. Default: 5,000. */
  limitMs?: number;
  signal?: AbortSignal;
}

/** Detects everything concurrently. Never throws, and returns within the time limit. */
export async function detect(options: DetectOptions): Promise<Detection> {
  const { run, env, probes, clock, limitMs = 5_000 } = options;
  const limit = new AbortController();
  const signal = AbortSignal.any([limit.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const commandOptions = { timeoutMs: limitMs, signal };
  const timeout = clock.sleep(limitMs, signal).then(() => limit.abort());

  const within = async <T>(work: () => Promise<Found<T>>): Promise<Found<T>> => {
    const timedOut = timeout.then(() => missing('no answer in time'));
    return Promise.race([work().catch((thrown: unknown) => missing(String(thrown))), timedOut]);
  };
  const local = async (port: number): Promise<Found<{ host: string; port: number }>> =>
    (await probes.listens('localhost', port))
      ? found({ host: 'localhost', port })
      : missing(`nothing listens on localhost:${port}`);

  const [slurm, association, gpus, apptainer, directories, rabbitmq, mongo, girder, systemd] =
    await Promise.all([
      within(async () => readSlurm(await readClusterInfo(run, commandOptions))),
      within(() => findAssociation(run, env, commandOptions)),
      within(() => findGpus(run, commandOptions)),
      within(() => findApptainer(run)),
      within(() => findDirectories(env)),
      within(() => local(5672)),
      within(() => local(27017)),
      within(() => findGirder(probes)),
      within(() => findSystemd(run, commandOptions)),
    ]);
  limit.abort();
  const { uid, gid } = userInfo();
  const user = { uid, gid };
  return { user, slurm, association, gpus, apptainer, directories, rabbitmq, mongo, girder, systemd };
}

function readSlurm(site: ClusterInfo): Found<ClusterInfo> {
  if (site.version === null && site.partitions === null) {
    return missing('Slurm commands do not work on this host');
  }
  return found(site);
}

async function findApptainer(run: RunCommand): Promise<Detection['apptainer']> {
  for (const command of ['apptainer', 'singularity']) {
    const answer = await createApptainer({ run, command }).version();
    if (answer !== null) return found({ command, version: answer.version });
  }
  return missing('neither apptainer nor singularity works on this host');
}

/** Ports of Girder in the DSA's compose files. */
const girderPorts = [8080, 8101];

async function findGirder(probes: DetectOptions['probes']): Promise<Detection['girder']> {
  for (const port of girderPorts) {
    if (!(await probes.listens('localhost', port))) continue;
    const apiUrl = `http://localhost:${port}/api/v1`;
    try {
      const { version, major } = await probes.girder.version(apiUrl, null);
      return found({ apiUrl, version, major });
    } catch {
      // something else uses the port
    }
  }
  return missing(`no Girder on localhost:${girderPorts.join(' or ')}`);
}

/** `systemctl --user` fails without a user manager: in containers, and on some login nodes. */
async function findSystemd(
  run: RunCommand,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Detection['systemd']> {
  const answer = await run('systemctl', ['--user', 'is-system-running'], options);
  if (answer.kind !== 'exited') return missing('systemctl does not work');
  const state = answer.stdout.trim();
  // also works when degraded; `offline` and no output mean that there is none
  return ['running', 'degraded', 'starting', 'initializing', 'maintenance'].includes(state)
    ? found(true)
    : missing('systemd does not run user services here');
}
