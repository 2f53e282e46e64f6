import { commandTrouble, type RunCommand } from '../../src/base/command.js';
import { systemPython } from '../../src/sandbox/services/packages.js';

/**
 * Installs what only tests need besides a practice site: the real jsonpickle, in which Girder's messages are written.
 * @throws Error with the words of apt-get
 */
export async function installTestPackages(run: RunCommand): Promise<void> {
  const importable = async () => commandTrouble(await run(systemPython, ['-c', 'import jsonpickle']));
  if ((await importable()) === '') return;
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const aptGet = (...args: string[]) => run('apt-get', ['-q', '-y', ...args], { timeoutMs: 600_000, env });
  await aptGet('update');
  const installed = await aptGet('install', '--no-install-recommends', 'python3-jsonpickle');
  const trouble = await importable();
  if (trouble !== '') throw new Error(`No jsonpickle: ${trouble}; ${commandTrouble(installed)}`);
}
