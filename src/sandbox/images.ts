import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { describeFailure, type RunCommand } from '../base/command.js';
import { packageFile } from '../base/package-file.js';
import { imageFormat } from './fake-apptainer/image.js';

/** An installed fake Apptainer. */
export interface FakeApptainer {
  /** Path of an executable with Apptainer's command line. */
  command: string;
  /** Whether containers have real mounts, or get host paths in their arguments. */
  isolation: 'namespace' | 'paths';
  /** Directory of the images that `pull` finds, under the file names of their SIFs. */
  registry: string;
}

/** Content of a fake image; a real SIF holds the same in another form. */
export interface FakeImage {
  labels: Record<string, string>;
  /** The OCI config, as Apptainer keeps it inside a SIF. */
  config: { WorkingDir?: string; Entrypoint?: string[]; Cmd?: string[]; Env?: string[] };
  files: Record<string, { text: string; executable: boolean }>;
}

/**
 * Writes `<dir>/bin/apptainer`: a wrapper that starts the fake, inside its own mount namespace if this user may create
 * one (root needs no user namespace for it). Needs a build.
 */
export async function installFakeApptainer({
  dir,
  run,
  isRoot,
}: {
  dir: string;
  run: RunCommand;
  isRoot: boolean;
}): Promise<FakeApptainer> {
  const ways = [...(isRoot ? [['--mount']] : []), ['--user', '--map-root-user', '--mount']];
  let unshare: string[] | undefined;
  for (const way of ways) {
    const probe = await run('unshare', [...way, '--', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], {
      timeoutMs: 5_000,
    });
    if (describeFailure(probe) === '') {
      unshare = ['unshare', ...way, '--'];
      break;
    }
  }
  const isolation = unshare === undefined ? 'paths' : 'namespace';
  const [bin, root] = [join(dir, 'bin'), join(dir, 'root')];
  await Promise.all([mkdir(bin, { recursive: true }), mkdir(root, { recursive: true })]);
  // always the bundle: it is started for every job, as a single file
  const program = packageFile('dist/sandbox/fake-apptainer.js');
  const words = [...(unshare ?? []), process.execPath, program, root, isolation].map(quote);
  const command = join(bin, 'apptainer');
  const registry = join(dir, 'registry');
  await mkdir(registry, { recursive: true });
  await writeFile(
    command,
    `#!/bin/sh\nSANDBOX_REGISTRY=${quote(registry)}; export SANDBOX_REGISTRY\nexec ${words.join(' ')} "$@"\n`,
  );
  await chmod(command, 0o755);
  return { command, isolation, registry };
}

/** Writes an image file for the fake Apptainer. */
export async function writeFakeImage(path: string, image: FakeImage): Promise<void> {
  await writeFile(path, JSON.stringify({ format: imageFormat, ...image }));
}

/** The demo image: an entry point like that of slicer_cli_web's images, and one CLI. */
export async function demoImage(): Promise<FakeImage> {
  const demo = 'sandbox/demo/tissue-fraction';
  const source = packageFile(import.meta.url.endsWith('.ts') ? `src/${demo}.ts` : `dist/${demo}.js`);
  // `.mjs` or `.mts`: outside of a package, only the file name marks a module.
  const program = `TissueFraction/TissueFraction.m${extname(source).slice(1)}`;
  const base = '/opt/demo';
  const entry = [
    '#!/bin/sh',
    '# The first argument names the CLI, as in every image for slicer_cli_web.',
    `if [ "$1" = --list_cli ]; then echo '{"TissueFraction": {"type": "node"}}'; exit; fi`,
    'if [ "$1" != TissueFraction ]; then echo "No CLI named $1" >&2; exit 2; fi',
    'shift',
    `exec node "\${0%/*}/${program}" "$@"`,
    '',
  ].join('\n');
  return {
    labels: { 'org.opencontainers.image.title': 'dsa-slurm demo analysis' },
    config: { WorkingDir: base, Entrypoint: ['/bin/sh', './docker-entrypoint.sh'] },
    files: {
      [`${base}/docker-entrypoint.sh`]: { text: entry, executable: true },
      [`${base}/${program}`]: { text: await readFile(source, 'utf8'), executable: false },
    },
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
