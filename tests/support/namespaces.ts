import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A simulated machine: a set of namespaces on this one. */
export interface Machine {
  /** An empty directory for the files that are mounted over the machine's own. */
  dir: string;
  hostName: string;
  /** The content of /etc/hosts. */
  hosts: readonly string[];
  /** An address besides those of the loopback interface, with its prefix length: `10.9.9.2/32`. */
  address?: string;
  /** Further shell lines, run as root of the namespaces. */
  setup?: readonly string[];
}

/** Result of a program that ran there. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Node.js options to run modules from `src/`. */
export const fromSource = ['--import', fileURLToPath(new URL('source-modules.mjs', import.meta.url))];

/**
 * Runs a program on such a machine: host name, /etc/hosts, network and processes are its own, files are this machine's.
 * Its processes do not outlive it.
 * @throws Error if this user may not create namespaces, which the tests require
 */
export async function runOnMachine(
  { dir, hostName, hosts, address, setup = [] }: Machine,
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Ended> {
  const files = {
    hosts: join(dir, 'hosts'),
    nsswitch: join(dir, 'nsswitch.conf'),
    ready: join(dir, 'ready'),
  };
  const nsswitch = await readFile('/etc/nsswitch.conf', 'utf8');
  await Promise.all([
    writeFile(files.hosts, `${hosts.join('\n')}\n`),
    // Resolve names only through /etc/hosts.
    writeFile(files.nsswitch, nsswitch.replace(/^hosts:.*$/m, 'hosts: files')),
  ]);
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  const script = [
    'set -e',
    'mount --bind "$1" /etc/hosts',
    'mount --bind "$2" /etc/nsswitch.conf',
    'hostname "$3"',
    'ip link set lo up',
    ...(address === undefined ? [] : [`ip address add ${address} dev lo`]),
    ...setup,
    ': > "$4"',
    'shift 4',
    'exec "$@"',
  ].join('\n');
  // Root of a user namespace may set all this up; the program then has its own user again.
  const asRoot = uid === 0 ? [] : ['--user', '--map-root-user'];
  const asItself = uid === 0 ? [] : ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--'];
  const namespaces = ['--mount', '--net', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  const shell = ['sh', '-c', script, 'sh', files.hosts, files.nsswitch, hostName, files.ready];
  const result = await run('unshare', [...asRoot, ...namespaces, ...shell, ...asItself, ...command], env);
  const isReady = await readFile(files.ready, 'utf8').then(
    () => true,
    () => false,
  );
  if (!isReady) {
    throw new Error(
      `No namespaces can be made here, without which this is not tested: ${result.stderr.trim()}. ` +
        'Run the tests as root, or on a machine whose kernel lets users make namespaces (unshare --user --net).',
    );
  }
  return result;
}

function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, args, { env: { ...env }, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr });
    });
  });
}
