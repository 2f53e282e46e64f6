// Entry point of bin/dsa-slurm. Imports and syntax here must work in Node 14, so that an old Node can report that it is
// too old.
import { mkdirSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { homedir } from 'node:os';
import { programPackage } from '../base/version.js';
import { topHelp } from './commands/index.js';
import { nodeFits } from './node-version.js';

const packageJson = programPackage();
const argv = process.argv.slice(2);

if (!nodeFits(process.versions.node, packageJson.engines.node)) {
  const needed = packageJson.engines.node;
  process.stderr.write(
    `dsa-slurm: Node.js ${process.versions.node} is too old or unsupported; ${needed} is required. Alternatively, install the archive that contains Node.js (README, Install).\n`,
  );
  process.exitCode = 2;
} else if (argv.length === 1 && ['-h', '--help', 'help'].includes(String(argv[0]))) {
  // loading the parser would double the start-up time
  process.stdout.write(topHelp());
} else if (argv.length === 1 && ['-V', '--version'].includes(String(argv[0]))) {
  process.stdout.write(`${packageJson.version}\n`);
} else {
  start().catch(fail);
  process.once('uncaughtException', (thrown) => void fail(thrown));
}

async function start(): Promise<void> {
  const cache = userCache();
  if (cache !== undefined) nodeModule.enableCompileCache(privateDirectory(`${cache}/dsa-slurm/node`));
  process.stdout.on('error', ignoreClosedPipe);
  const { runProgram } = await import('./program.js');
  process.exitCode = await runProgram(argv, {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    version: packageJson.version,
    exitCode: 0,
  });
  const { waitUntilIdle } = await import('../base/files/network-fs.js');
  if (await waitUntilIdle(2_000)) return;
  process.stderr.write('dsa-slurm: a shared file system does not respond; killing this process.\n');
  process.kill(process.pid, 'SIGKILL');
}

/** Creates the directory with mode 0700: Node would apply the umask, and executes code from it. */
function privateDirectory(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch {
    // if it cannot be created (a read-only home), Node continues without a cache
  }
  return path;
}

/** The user's own cache: in the shared /tmp of a login node, others could plant code. Undefined if there is no home. */
function userCache(): string | undefined {
  try {
    return process.env['XDG_CACHE_HOME'] || `${homedir()}/.cache`;
  } catch {
    return undefined;
  }
}

/**
 * A closed pipe (`dsa-slurm config show | head -1`) or terminal (EIO) is not an error. If there are other listeners, such as
 * the console's, they end the process.
 */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  if (process.stdout.listenerCount('error') === 1) process.exit();
}

/** An uncaught error is a bug that leaves the process in an unknown state, so it exits. */
async function fail(thrown: unknown): Promise<void> {
  try {
    const { renderError } = await import('./render-error.js');
    process.stderr.write(renderError(thrown, { json: false, debug: argv.includes('--debug') }).stderr);
  } finally {
    process.exit(1);
  }
}
