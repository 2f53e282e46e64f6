import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { findRabbitmq } from './rabbitmq.js';

/** A program that the sandbox needs, and the Debian package that contains it. */
export interface Missing {
  what: string;
  packageName: string;
  /** False if the sandbox has a substitute for it. */
  required: boolean;
}

/** Debian's Python, for which python3-celery is packaged. */
export const systemPython = '/usr/bin/python3';

const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin'];

/** Units that these packages start at once and at boot, by program. The sandbox runs its own daemons. */
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
  const celery = describeFailure(await run(systemPython, ['-c', 'import celery'])) === '';
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
  /** Receives progress, line by line. */
  onLine: (line: string) => void;
  isRoot: boolean;
  /** /etc/os-release of this machine. */
  osRelease?: string;
  /** Stops it, but never in the middle of an installation, which would leave packages half installed. */
  signal?: AbortSignal;
}

/**
 * Installs missing packages with apt-get, as root or through a passwordless sudo. Services that the new packages
 * started are stopped and disabled again; existing services are not touched.
 * @returns what is still missing and has a substitute
 * @throws DsaSlurmError `sandbox` with the commands to run, if something required is still missing
 */
export async function installMissing(options: InstallOptions): Promise<Missing[]> {
  const { run, may, onLine, isRoot, signal, osRelease = readOsRelease() } = options;
  const missing = await findMissing(options);
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((entry) => entry.packageName))];
  const words = missing.map((entry) => entry.what).join(', ');
  const apt = may && isDebian(osRelease) ? await aptCommand(options, isRoot) : undefined;
  if (apt === undefined) return substitutesOnly(missing, `Not installed: ${words}.`, osRelease);

  const { path, exists = existsSync } = options;
  // Stop only services that were not installed before: this host may run a real slurmd.
  const fresh = units.filter(({ program }) => !isInstalled(program, path, exists));
  onLine(`Not installed: ${words}. Installing ${packages.join(' ')} …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  const aptGet = (args: string[], more: CommandOptions) =>
    run(apt[0], [...apt.slice(1), 'apt-get', '-q', '-y', ...args], { timeoutMs: 900_000, env, ...more });
  onLine('  Updating the list of packages …');
  const update = await aptGet(['update'], signal === undefined ? {} : { signal });
  signal?.throwIfAborted();
  const tellWait = () =>
    onLine(
      'Stopping as soon as apt-get has finished: an interrupted installation would leave broken packages.',
    );
  signal?.addEventListener('abort', tellWait, { once: true });
  const install = await aptGet(['install', '--no-install-recommends', ...packages], {
    onOutput: stepsOf(onLine),
  });
  signal?.removeEventListener('abort', tellWait);
  const names = fresh.map(({ unit }) => unit);
  await stopServices(options, apt, names);
  const left = await findMissing(options);
  if (left.length === 0) return [];
  const error = lastLines(describeFailure(install) || describeFailure(update));
  return substitutesOnly(left, `apt-get could not install the missing packages: ${error}.`, osRelease);
}

/** Passes on the lines of apt-get that name a package: it takes a minute or two. */
function stepsOf(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const step = /^(?:Get:\d+ \S+ \S+ \S+ (?<got>\S+)|Setting up (?<set>[^ :]+))/.exec(line)?.groups;
      if (step?.['got'] !== undefined) onLine(`  fetching ${step['got']}`);
      if (step?.['set'] !== undefined) onLine(`  setting up ${step['set']}`);
    }
  };
}

function substitutesOnly(missing: Missing[], sentence: string, osRelease: string): Missing[] {
  if (!missing.some((entry) => entry.required)) return missing;
  throw new DsaSlurmError('sandbox', sentence, { next: howToInstall(osRelease) });
}

function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

/** The names of this distribution and of those that it derives from; see os-release(5). */
function families(osRelease: string): ReadonlySet<string> {
  const value = (key: string) =>
    new RegExp(`^${key}=["']?([^"'\\n]*)`, 'm').exec(osRelease)?.[1]?.toLowerCase() ?? '';
  return new Set([value('ID'), ...value('ID_LIKE').split(' ')]);
}

/** Other distributions may have an apt-get, too, with other packages. */
function isDebian(osRelease: string): boolean {
  const names = families(osRelease);
  return names.has('debian') || names.has('ubuntu');
}

/**
 * The commands to run if nothing is installed automatically. Celery is left out except on Debian and Ubuntu, because it
 * has a substitute.
 */
export function howToInstall(osRelease: string): string {
  if (isDebian(osRelease)) {
    return 'Type: sudo apt-get update && sudo apt-get install --no-install-recommends slurm-wlm munge rabbitmq-server python3-celery';
  }
  const names = families(osRelease);
  const rpms = 'slurm slurm-slurmctld slurm-slurmd munge';
  if (['rhel', 'centos', 'rocky', 'almalinux'].some((name) => names.has(name))) {
    return `Type: sudo dnf install epel-release && sudo dnf install ${rpms}; then install rabbitmq-server as https://www.rabbitmq.com/docs/install-rpm says.`;
  }
  if (names.has('fedora')) return `Type: sudo dnf install ${rpms} rabbitmq-server`;
  if (['suse', 'opensuse', 'sles'].some((name) => names.has(name))) {
    return 'Type: sudo zypper install slurm slurm-node munge rabbitmq-server';
  }
  return 'Install Slurm (slurmctld, slurmd, sbatch), munge and RabbitMQ with the package manager of this machine; on Debian and Ubuntu this is automatic.';
}

/** The `env` prefix passes the variables through sudo, which drops its caller's environment. */
async function aptCommand(
  { run, exists = existsSync }: PackagesOptions,
  isRoot: boolean,
): Promise<readonly [string, ...string[]] | undefined> {
  if (!exists('/usr/bin/apt-get')) return undefined;
  if (isRoot) return ['env'];
  const sudo = await run('sudo', ['-n', 'true'], { timeoutMs: 5_000 });
  return describeFailure(sudo) === ''
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
    // Failure is fine: the unit may not exist, or never have run.
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
