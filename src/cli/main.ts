// The door behind bin/dsa-slurm. It is loaded by whatever Node there is: no import and no syntax here may be newer
// than Node 14, so that an old Node can say that it is too old.
import { mkdirSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { homedir } from 'node:os';
import { programPackage } from '../base/version.js';
import { topHelp } from './commands.js';
import { nodeFits } from './node-version.js';

const packageJson = programPackage();
const argv = process.argv.slice(2);

if (!nodeFits(process.versions.node, packageJson.engines.node)) {
  const needed = packageJson.engines.node;
  process.stderr.write(
    `dsa-slurm: Node.js ${process.versions.node} cannot run this; it needs ${needed}. Or install the archive that brings its own (README, Install).\n`,
  );
  process.exitCode = 2;
} else if (argv.length === 1 && ['-h', '--help', 'help'].includes(String(argv[0]))) {
  // the parser alone would take as long to load as Node itself
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
  const { waitUntilIdle } = await import('../base/network-fs.js');
  if (await waitUntilIdle(2_000)) return;
  process.stderr.write(
    'dsa-slurm: a shared file system does not answer; the process is killed to get away from it.\n',
  );
  process.kill(process.pid, 'SIGKILL');
}

/** Node would make it with whatever the umask leaves open, and code is run from it. */
function privateDirectory(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch {
    // where it cannot be written (a read-only home) Node goes on without
  }
  return path;
}

/** The user's own cache, not the shared /tmp of a login node where others could put code into it; undefined: no home. */
function userCache(): string | undefined {
  try {
    return process.env['XDG_CACHE_HOME'] || `${homedir()}/.cache`;
  } catch {
    return undefined;
  }
}

/**
 * `dsa-slurm config show | head -1` is no error, and a terminal that is gone (EIO) is none either. Who listens besides us,
 * as the console does, ends in its own way.
 */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  if (process.stdout.listenerCount('error') === 1) process.exit();
}

/** What no command caught: a defect, and the state is unknown, so the process ends. */
async function fail(thrown: unknown): Promise<void> {
  try {
    const { renderError } = await import('./render-error.js');
    process.stderr.write(renderError(thrown, { json: false, debug: argv.includes('--debug') }).stderr);
  } finally {
    process.exit(1);
  }
}
