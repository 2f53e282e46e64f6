import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lock } from 'proper-lockfile';

const run = promisify(execFile);

/** Debian has Apptainer in sid only, whose libc is newer than that of the stable release which tests run on. */
const suite = 'sid';
const packages = ['apptainer', 'squashfuse', 'fuse3', 'busybox-static'];
/** Increment when the steps after the package installation change. */
const revision = 1;

/** The user who starts containers. */
const ordinaryUser = { name: 'analyst', id: 1000 };

/**
 * The directory of a Debian sid with Apptainer, made with debootstrap once and then kept in `DSA_SLURM_TEST_CACHE`
 * (default `<temp folder>/dsa-slurm-test-cache`). To make it takes root, about two minutes and 400 MB.
 * @throws Error with the end of debootstrap's output
 */
export async function prepareRealRoot(): Promise<string> {
  const cache = process.env['DSA_SLURM_TEST_CACHE'] ?? join(tmpdir(), 'dsa-slurm-test-cache');
  await mkdir(cache, { recursive: true });
  const recipe = createHash('sha256').update(JSON.stringify([suite, packages, revision]));
  const root = join(cache, `apptainer-${suite}-${recipe.digest('hex').slice(0, 12)}`);
  const isThere = () => existsSync(root);
  if (isThere()) return root;
  // one process builds, the others wait for it
  const release = await lock(cache, {
    lockfilePath: `${root}.lock`,
    retries: { retries: 600, factor: 1, minTimeout: 1_000 },
  });
  try {
    if (isThere()) return root;
    const fresh = await mkdtemp(`${root}.`);
    try {
      await buildRoot(fresh);
      await rename(fresh, root);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
  } finally {
    await release();
  }
  return root;
}

async function buildRoot(root: string): Promise<void> {
  await installDebootstrap();
  const mirror = await debianMirror();
  await chmod(root, 0o755);
  // in a mount namespace, so that what debootstrap mounts goes away with it, also when it fails
  const debootstrap = ['--mount', 'debootstrap', '--variant=minbase', `--include=${packages.join(',')}`];
  await run('unshare', [...debootstrap, suite, root, mirror], { maxBuffer: 64 * 1024 * 1024 }).catch(
    async (error: unknown) => {
      const log = await readFile(join(root, 'debootstrap', 'debootstrap.log'), 'utf8').catch(() => '');
      throw new Error(`debootstrap of ${suite} from ${mirror} failed:\n${log.slice(-2_000)}`, {
        cause: error,
      });
    },
  );
  // Apptainer copies it into each container
  await writeFile(join(root, 'etc', 'hosts'), '127.0.0.1 localhost\n');
  await run('mknod', ['-m', '0666', join(root, 'fuse'), 'c', '10', '229']);
  await rm(join(root, 'var', 'cache', 'apt', 'archives'), { recursive: true });
}

async function installDebootstrap(): Promise<void> {
  const isThere = async () =>
    run('debootstrap', ['--version']).then(
      () => true,
      () => false,
    );
  if (await isThere()) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-q', '-y', 'update'], { env });
  await run('apt-get', ['-q', '-y', 'install', '--no-install-recommends', 'debootstrap'], { env });
}

/**
 * The mirror that this machine's apt takes Debian's packages from; `DSA_SLURM_TEST_MIRROR` on machines that do not run
 * Debian.
 */
async function debianMirror(): Promise<string> {
  const named = process.env['DSA_SLURM_TEST_MIRROR'];
  if (named !== undefined && named !== '') return named;
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages', 'Origin: Debian', 'Label: Debian'];
  const { stdout } = await run('apt-get', ['indextargets', ...format]);
  const mirror = stdout.split('\n')[0];
  if (mirror === undefined || mirror === '') {
    throw new Error("This machine's apt has no Debian mirror: name one in DSA_SLURM_TEST_MIRROR.");
  }
  return mirror;
}

/** The environment in which Apptainer runs. */
export interface RealApptainerOptions {
  /** A directory of the test, for the wrapper and its settings. */
  dir: string;
  /** Home of the ordinary user. Default: that of the user who runs the tests. */
  home?: string;
  /** `root`: root who lacks CAP_SYS_RESOURCE, as in many containers and virtual machines. Default `ordinary`. */
  user?: 'ordinary' | 'root';
  /** `closed`: the user may not open /dev/fuse; needs root. */
  fuse?: 'open' | 'closed';
  /** `closed`: the user may not create user namespaces. */
  userNamespaces?: 'open' | 'closed';
  /** False: as if the package squashfuse were not installed. */
  squashfuse?: boolean;
  /** Lines added to apptainer.conf. */
  config?: string;
}

/**
 * Writes a command `apptainer` that runs the real one of the test root. It takes the place of Apptainer on this machine
 * for everything that can be given a command (`apptainer.command`, `PATH`): paths outside the system's directories mean
 * what they mean here, output files belong to the caller.
 * @returns its path
 */
export async function installRealApptainer(root: string, options: RealApptainerOptions): Promise<string> {
  const {
    home = homedir(),
    user = 'ordinary',
    fuse = 'open',
    userNamespaces = 'open',
    squashfuse = true,
  } = options;
  const dir = join(options.dir, 'real-apptainer');
  const etc = join(dir, 'etc');
  await mkdir(join(dir, 'bin'), { recursive: true });
  await mkdir(join(etc, 'apptainer'), { recursive: true });
  const { name, id } = ordinaryUser;
  const passwd = await readFile(join(root, 'etc', 'passwd'), 'utf8');
  const group = await readFile(join(root, 'etc', 'group'), 'utf8');
  await writeFile(join(etc, 'passwd'), `${passwd}${name}:x:${id}:${id}::${home}:/bin/sh\n`);
  await writeFile(join(etc, 'group'), `${group}${name}:x:${id}:\n`);
  await copyFile('/etc/resolv.conf', join(etc, 'resolv.conf')).catch(() => undefined);
  if (options.config !== undefined) {
    const original = await readFile(join(root, 'etc', 'apptainer', 'apptainer.conf'), 'utf8');
    await writeFile(join(etc, 'apptainer', 'apptainer.conf'), `${original}\n${options.config}\n`);
  }
  const hidden = squashfuse ? [] : ['/usr/bin/squashfuse', '/usr/bin/squashfuse_ll'];
  const settings = {
    root,
    etc,
    user: user === 'root' ? 'root' : String(id),
    fuse,
    userNamespaces,
    hide: hidden.join(' '),
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${shellWord(value)}\n`);
  await writeFile(join(dir, 'settings'), lines.join(''));
  const enter = [join(import.meta.dirname, 'enter-root.sh'), join(dir, 'settings'), '/usr/bin/apptainer'];
  const command = join(dir, 'bin', 'apptainer');
  const script = `#!/bin/sh\nexec /bin/sh ${enter.map(shellWord).join(' ')} "$@"\n`;
  await writeFile(command, script, { mode: 0o755 });
  return command;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
