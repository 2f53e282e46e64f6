import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { describeFailure, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';

export type GirderMajor = 3 | 5;

/** Dependencies of both majors, pinned so that a new release on PyPI changes nothing unnoticed. */
const pinnedDependencies = ['celery==5.7.0', 'kombu==5.7.0', 'jsonpickle==4.1.4'];

/**
 * The packages of a real Girder: the newest release of each major with which the tests passed. docs/compatibility.md names
 * them, too.
 */
export const girderRequirements: Readonly<Record<GirderMajor, readonly string[]>> = {
  3: [
    'girder==3.2.18',
    'girder-jobs==3.2.18',
    'girder-worker==0.10.7',
    'girder-worker-utils==0.9.6',
    'girder-slicer-cli-web==1.5.14',
    ...pinnedDependencies,
    // Girder 3 imports pkg_resources, which newer setuptools no longer include.
    'setuptools<81',
  ],
  5: [
    'girder==5.0.21',
    'girder-jobs==5.0.21',
    'girder-worker==5.0.21',
    'girder-plugin-worker==5.0.21',
    'girder-slicer-cli-web==5.0.21',
    ...pinnedDependencies,
  ],
};

/** The oldest Python that Girder 5 and Girder 3 both take. */
const oldestPython = [3, 10] as const;

export interface GirderInstallOptions {
  /** Kept between runs: installing takes minutes. */
  cache: string;
  run: RunCommand;
  say: (line: string) => void;
}

/**
 * Installs packages from PyPI into their own virtual environment inside the cache, unless they are installed already.
 * @param requirements as pip takes them
 * @param withoutDependencies packages whose dependencies are not installed, because `requirements` has those that are needed
 * @returns the path of the environment's Python
 * @throws DsaSlurmError `sandbox` if Python is missing or pip fails
 */
export async function installPython(
  name: string,
  requirements: readonly string[],
  { cache, run, say }: GirderInstallOptions,
  withoutDependencies: readonly string[] = [],
): Promise<string> {
  const base = await findPython(run);
  const key = digest([base.version, ...requirements, ...withoutDependencies]);
  const venv = join(cache, `${name}-${key}`);
  const python = join(venv, 'bin', 'python');
  await onlyOnce(venv, async () => {
    const packages = [...requirements, ...withoutDependencies].join(' ');
    say(`Installing ${packages} from PyPI, which takes a few minutes the first time …`);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    const steps: [string, string[]][] = [
      [base.command, ['-m', 'venv', venv]],
      [python, [...pip, ...requirements]],
    ];
    if (withoutDependencies.length > 0) steps.push([python, [...pip, '--no-deps', ...withoutDependencies]]);
    for (const [file, args] of steps) {
      const error = describeFailure(await run(file, args, { timeoutMs: 1_500_000 }));
      if (error !== '') {
        throw new DsaSlurmError(
          'sandbox',
          `The Python packages of ${name} could not be installed: ${lastLines(error)}`,
          {
            next: 'pip must be able to reach PyPI or a mirror of it: see `pip config list`.',
          },
        );
      }
    }
  });
  return python;
}

/**
 * Builds the MongoDB-protocol server from templates/sandbox/girder/mongo, unless it is in the cache.
 * @returns the path of the program
 * @throws DsaSlurmError `sandbox` if Go is missing or the build fails
 */
export async function buildMongo({ cache, run, say }: GirderInstallOptions): Promise<string> {
  const files = ['main.go', 'go.mod', 'go.sum'];
  const key = digest(await Promise.all(files.map((file) => readFile(mongoSource(file), 'utf8'))));
  const directory = join(cache, `ferretdb-${key}`);
  const program = join(directory, 'mongo');
  await onlyOnce(directory, async () => {
    const version = await run('go', ['version']);
    if (describeFailure(version) !== '') {
      throw new DsaSlurmError(
        'sandbox',
        'Go is not installed; FerretDB, Girder’s database here, is built with it.',
        {
          next: 'Install Go 1.24 or newer (https://go.dev/dl/) and put it into PATH.',
        },
      );
    }
    say('Building FerretDB, which takes a few minutes the first time …');
    await mkdir(directory, { recursive: true });
    for (const file of files) await copyFile(mongoSource(file), join(directory, file));
    const build = await run('go', ['build', '-o', program, '.'], {
      cwd: directory,
      timeoutMs: 1_500_000,
      env: { CGO_ENABLED: '0' },
    });
    if (describeFailure(build) !== '') {
      throw new DsaSlurmError(
        'sandbox',
        `FerretDB could not be built: ${lastLines(describeFailure(build))}`,
        {
          next: 'Go must be able to reach its module proxy: see `go env GOPROXY`.',
        },
      );
    }
  });
  return program;
}

function mongoSource(file: string): string {
  return packageFile(`templates/sandbox/girder/mongo/${file}`);
}

async function findPython(run: RunCommand): Promise<{ command: string; version: string }> {
  const probe = 'import ensurepip, sys, venv; print(*sys.version_info[:2], sep=".")';
  for (const command of ['python3', '/usr/bin/python3', 'python3.13', 'python3.12', 'python3.11']) {
    const answer = await run(command, ['-c', probe], { timeoutMs: 10_000 });
    if (answer.kind !== 'exited' || answer.exitCode !== 0) continue;
    const version = answer.stdout.trim();
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major === oldestPython[0] && minor >= oldestPython[1]) return { command, version };
  }
  throw new DsaSlurmError('sandbox', `No Python ${oldestPython.join('.')} or newer with venv was found.`, {
    next: 'On Debian or Ubuntu type: sudo apt-get install python3-venv',
  });
}

/** Fills a directory of the cache once, even if several processes need it; an incomplete one is filled again from scratch. */
async function onlyOnce(directory: string, fill: () => Promise<void>): Promise<void> {
  const complete = join(directory, '.complete');
  if (existsSync(complete)) return;
  await mkdir(join(directory, '..'), { recursive: true });
  const release = await lock(directory, {
    realpath: false,
    retries: { forever: true, minTimeout: 1_000, maxTimeout: 2_000 },
  });
  try {
    if (existsSync(complete)) return;
    await rm(directory, { recursive: true, force: true });
    await fill();
    await writeFile(complete, '');
  } finally {
    await release();
  }
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12);
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n').slice(-1_000);
}
