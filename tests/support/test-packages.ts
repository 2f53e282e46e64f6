import { commandTrouble, type RunCommand } from '../../src/base/command.js';
import { systemPython } from '../../src/sandbox/services/packages.js';

/** Debian's packages, each with a command that works once it is there. */
const packages = [
  { name: 'python3-jsonpickle', probe: [systemPython, '-c', 'import jsonpickle'] },
  { name: 'iproute2', probe: ['ip', '-V'] },
] as const;

/**
 * Installs what only tests need besides a practice site: the real jsonpickle, in which Girder's messages are written, and
 * `ip`, with which tests set up networks of their own.
 * @throws Error with the words of apt-get
 */
export async function installTestPackages(run: RunCommand): Promise<void> {
  const findMissing = async (): Promise<string[]> => {
    const answers = await Promise.all(packages.map(({ probe: [file, ...args] }) => run(file, args)));
    return packages.flatMap(({ name }, index) => {
      const answer = answers[index];
      return answer !== undefined && commandTrouble(answer) === '' ? [] : [name];
    });
  };
  const missing = await findMissing();
  if (missing.length === 0) return;
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const aptGet = (...args: string[]) => run('apt-get', ['-q', '-y', ...args], { timeoutMs: 600_000, env });
  await aptGet('update');
  const installed = await aptGet('install', '--no-install-recommends', ...missing);
  const left = await findMissing();
  if (left.length > 0) throw new Error(`Not installed: ${left.join(', ')}; ${commandTrouble(installed)}`);
}
