import { describeFailure, type RunCommand } from '../../src/base/command.js';
import { systemPython } from '../../src/sandbox/services/packages.js';

export interface TestPackage {
  name: string;
  probe: readonly [file: string, ...args: string[]];
  /** The service that its installation starts. */
  unit?: string;
}

/**
 * Packages that only tests need, those of `test:girder` and `test:apptainer` included: these run side by side, and apt-get
 * refuses to.
 */
const testPackages: readonly TestPackage[] = [
  // Girder's messages are written in it
  { name: 'python3-jsonpickle', probe: [systemPython, '-c', 'import jsonpickle'] },
  // a release is made from a clean checkout
  { name: 'git', probe: ['git', '--version'] },
  // the bench copies a file with it
  { name: 'curl', probe: ['curl', '--version'] },
  // tests set up networks of their own with it
  { name: 'iproute2', probe: ['ip', '-V'] },
  { name: 'mariadb-server', probe: ['dpkg', '-s', 'mariadb-server'], unit: 'mariadb' },
  { name: 'slurmdbd', probe: ['dpkg', '-s', 'slurmdbd'], unit: 'slurmdbd' },
  // shells whose completion is tested
  { name: 'zsh', probe: ['zsh', '--version'] },
  { name: 'fish', probe: ['fish', '--version'] },
  // scrapes a worker
  { name: 'prometheus', probe: ['promtool', '--version'], unit: 'prometheus' },
  { name: 'redis-server', probe: ['redis-server', '--version'], unit: 'redis-server' },
  { name: 'debootstrap', probe: ['debootstrap', '--version'] },
  { name: 'mandoc', probe: ['dpkg', '-s', 'mandoc'] },
  // checks the unit files
  { name: 'systemd', probe: ['systemd-analyze', '--version'] },
  // Debian 11 has no such package: there the plugin comes with slurmdbd
  {
    name: 'slurm-wlm-mysql-plugin',
    probe: ['sh', '-c', 'ls /usr/lib/*/slurm*/accounting_storage_mysql.so'],
  },
];

/**
 * Installs packages that only tests need, and stops the services that this started: tests run their own.
 * @throws Error with the output of apt-get
 */
export async function installTestPackages(
  run: RunCommand,
  packages: readonly TestPackage[] = testPackages,
): Promise<void> {
  const isThere = async ({ probe: [file, ...args] }: TestPackage) =>
    describeFailure(await run(file, args)) === '';
  const missing: TestPackage[] = [];
  for (const each of packages) if (!(await isThere(each))) missing.push(each);
  if (missing.length === 0) return;
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const aptGet = (...args: string[]) => run('apt-get', ['-q', '-y', ...args], { timeoutMs: 600_000, env });
  await aptGet('update');
  const names = missing.map(({ name }) => name);
  const installed = await aptGet('install', '--no-install-recommends', ...names);
  for (const { unit } of missing) if (unit !== undefined) await run('service', [unit, 'stop']);
  for (const each of missing) {
    if (!(await isThere(each))) throw new Error(`No ${each.name}: ${describeFailure(installed)}`);
  }
}
