import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { commandTrouble, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { findRabbitmq } from './rabbitmq.js';

/** One thing that the practice site needs from the system, and the Debian package that brings it. */
export interface Missing {
  what: string;
  packageName: string;
  /** Without it there is no practice site; otherwise there is a substitute. */
  required: boolean;
}

/** Debian's Python, for which python3-celery is packaged. */
export const systemPython = '/usr/bin/python3';

const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin'];

/** Units that these packages start at once and at boot, by program. The practice site runs its own daemons. */
const units = [
  { program: 'munged', unit: 'munge.service' },
  { program: 'slurmctld', unit: 'slurmctld.service' },
  { program: 'slurmd', unit: 'slurmd.service' },
  { program: 'rabbitmq-server', unit: 'rabbitmq-server.service' },
  { program: 'epmd', unit: 'epmd.socket' },
  { program: 'epmd', unit: 'epmd.service' },
] as const;

export interface PackagesOptions {
  run: RunCommand;
  /** The operator's `PATH`. */
  path: string;
  exists?: (file: string) => boolean;
}

/** What this machine lacks. */
export async function findMissing({ run, path, exists = existsSync }: PackagesOptions): Promise<Missing[]> {
  const has = (program: string) => isInstalled(program, path, exists);
  const celery = commandTrouble(await run(systemPython, ['-c', 'import celery'])) === '';
  const programs = ['slurmctld', 'slurmd', 'sbatch'].filter((program) => !has(program));
  return [
    ...programs.map((what) => ({ what, packageName: 'slurm-wlm', required: true })),
    ...(has('munged') ? [] : [{ what: 'munged', packageName: 'munge', required: true }]),
    ...(findRabbitmq(path, exists) === undefined
      ? [{ what: 'rabbitmq-server', packageName: 'rabbitmq-server', required: true }]
      : []),
    ...(celery ? [] : [{ what: 'Celery for Python', packageName: 'python3-celery', required: false }]),
  ];
}

export interface InstallOptions extends PackagesOptions {
  /** False: only say what is missing. */
  may: boolean;
  /** Told what is going on, one line at a time. */
  onLine: (line: string) => void;
  isRoot: boolean;
}

/**
 * Installs what is missing with apt-get, as root or through a sudo that asks for no password. What the fresh packages
 * started is stopped and disabled again; services that were there before are not touched.
 * @returns what is still missing and has a substitute
 * @throws DsaSlurmError `sandbox` with the commands to type, when something required is still missing
 */
export async function installMissing(options: InstallOptions): Promise<Missing[]> {
  const { run, may, onLine, isRoot } = options;
  const missing = await findMissing(options);
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((entry) => entry.packageName))];
  const words = missing.map((entry) => entry.what).join(', ');
  const apt = may ? await aptCommand(options, isRoot) : undefined;
  if (apt === undefined) return substitutesOnly(missing, packages, `Not installed: ${words}.`);

  const { path, exists = existsSync } = options;
  // Only what was not there before is ours to stop: somebody may run a real slurmd here.
  const fresh = units.filter(({ program }) => !isInstalled(program, path, exists));
  onLine(`Not installed: ${words}. Installing ${packages.join(' ')} …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  const aptGet = (args: string[]) =>
    run(apt[0], [...apt.slice(1), 'apt-get', '-q', '-y', ...args], { timeoutMs: 900_000, env });
  const update = await aptGet(['update']);
  const install = await aptGet(['install', '--no-install-recommends', ...packages]);
  const names = fresh.map(({ unit }) => unit);
  await stopServices(options, apt, names);
  const left = await findMissing(options);
  if (left.length === 0) return [];
  const trouble = lastLines(commandTrouble(install) || commandTrouble(update));
  return substitutesOnly(left, packages, `apt-get could not install what is missing: ${trouble}.`);
}

function substitutesOnly(missing: Missing[], packages: string[], sentence: string): Missing[] {
  if (!missing.some((entry) => entry.required)) return missing;
  throw new DsaSlurmError('sandbox', sentence, {
    next: `On Debian or Ubuntu type: sudo apt-get update && sudo apt-get install --no-install-recommends ${packages.join(' ')}`,
  });
}

/** `env` in front hands the variables through sudo, which drops those of its caller. */
async function aptCommand(
  { run, exists = existsSync }: PackagesOptions,
  isRoot: boolean,
): Promise<readonly [string, ...string[]] | undefined> {
  if (!exists('/usr/bin/apt-get')) return undefined;
  if (isRoot) return ['env'];
  const sudo = await run('sudo', ['-n', 'true'], { timeoutMs: 5_000 });
  return commandTrouble(sudo) === ''
    ? ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1']
    : undefined;
}

async function stopServices(
  { run, exists = existsSync }: PackagesOptions,
  prefix: readonly [string, ...string[]],
  fresh: readonly string[],
): Promise<void> {
  const underSystemd = exists('/run/systemd/system');
  for (const unit of fresh) {
    const rest = underSystemd
      ? ['systemctl', 'disable', '--now', '--quiet', unit]
      : ['service', unit.replace(/\.(service|socket)$/, ''), 'stop'];
    // A unit that the package does not have, or that never ran, is what we want.
    await run(prefix[0], [...prefix.slice(1), ...rest], { timeoutMs: 30_000 });
  }
}

function isInstalled(program: string, path: string, exists: (file: string) => boolean): boolean {
  const directories = [...path.split(delimiter), ...systemDirectories];
  return directories.some((directory) => exists(join(directory, program)));
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' ').slice(0, 500) || 'no reason was given';
}
