import { userInfo } from 'node:os';
import type { Clock } from '../../base/clock.js';
import type { RunCommand } from '../../base/command.js';
import { createApptainer } from '../../apptainer/inspect.js';
import { readSite, type Site } from '../../slurm/site.js';
import { findAssociation, findGpus, type Association, type Gpus } from './cluster.js';
import { findDirectories, type CandidateDirectory } from './directories.js';
import { found, missing, type Found } from './found.js';
import type { Doors } from './site-probes.js';

/** What this machine tells by itself. */
export interface Detection {
  /** Who asks. */
  user: { uid: number; gid: number };
  slurm: Found<Site>;
  /** Of the operator, where Slurm keeps accounts. */
  association: Found<Association>;
  /** Partitions with GPUs. */
  gpus: Found<readonly Gpus[]>;
  /** On this host; compute nodes may differ. */
  apptainer: Found<{ command: string; version: string }>;
  /** Directories on shared file systems that the operator can write to, the likeliest first. */
  directories: Found<readonly CandidateDirectory[]>;
  rabbitmq: Found<{ host: string; port: number }>;
  mongo: Found<{ host: string; port: number }>;
  girder: Found<{ apiUrl: string; version: string; major: 3 | 5 }>;
  /** A systemd that runs services of this user. */
  systemd: Found<true>;
}

export interface DetectOptions {
  run: RunCommand;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  doors: Pick<Doors, 'listens' | 'girder'>;
  /** Milliseconds for everything. Default 5,000. */
  limitMs?: number;
  signal?: AbortSignal;
}

/** Looks around, everything side by side. Never throws and never takes longer than its limit. */
export async function detect(options: DetectOptions): Promise<Detection> {
  const { run, env, doors, clock, limitMs = 5_000 } = options;
  const limit = new AbortController();
  const signal = AbortSignal.any([limit.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const asking = { timeoutMs: limitMs, signal };
  const over = clock.sleep(limitMs, signal).then(() => limit.abort());

  const within = async <T>(look: () => Promise<Found<T>>): Promise<Found<T>> => {
    const late = over.then(() => missing('no answer in time'));
    return Promise.race([look().catch((thrown: unknown) => missing(String(thrown))), late]);
  };
  const local = async (port: number): Promise<Found<{ host: string; port: number }>> =>
    (await doors.listens('localhost', port))
      ? found({ host: 'localhost', port })
      : missing(`nothing listens on localhost:${port}`);

  const [slurm, association, gpus, apptainer, directories, rabbitmq, mongo, girder, systemd] =
    await Promise.all([
      within(async () => readSlurm(await readSite(run, asking))),
      within(() => findAssociation(run, env, asking)),
      within(() => findGpus(run, asking)),
      within(() => findApptainer(run)),
      within(() => findDirectories(env)),
      within(() => local(5672)),
      within(() => local(27017)),
      within(() => findGirder(doors)),
      within(() => findSystemd(run, asking)),
    ]);
  limit.abort();
  const { uid, gid } = userInfo();
  const user = { uid, gid };
  return { user, slurm, association, gpus, apptainer, directories, rabbitmq, mongo, girder, systemd };
}

function readSlurm(site: Site): Found<Site> {
  if (site.version === null && site.partitions === null) {
    return missing('Slurm’s commands do not answer on this host');
  }
  return found(site);
}

async function findApptainer(run: RunCommand): Promise<Detection['apptainer']> {
  for (const command of ['apptainer', 'singularity']) {
    const answer = await createApptainer({ run, command }).version();
    if (answer !== null) return found({ command, version: answer.version });
  }
  return missing('neither apptainer nor singularity answers on this host');
}

/** Ports that the DSA's own compose files give Girder. */
const girderPorts = [8080, 8101];

async function findGirder(doors: DetectOptions['doors']): Promise<Detection['girder']> {
  for (const port of girderPorts) {
    if (!(await doors.listens('localhost', port))) continue;
    const apiUrl = `http://localhost:${port}/api/v1`;
    try {
      const { version, major } = await doors.girder.version(apiUrl, null);
      return found({ apiUrl, version, major });
    } catch {
      // something else has the port
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
  if (answer.kind !== 'exited') return missing('systemctl does not answer');
  const state = answer.stdout.trim();
  // a degraded one works; `offline` and nothing mean that there is none
  return ['running', 'degraded', 'starting', 'initializing', 'maintenance'].includes(state)
    ? found(true)
    : missing('systemd does not run services of users here');
}
