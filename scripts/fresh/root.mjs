// Debian root file systems made by debootstrap: made once, kept in $DSA_SLURM_TEST_CACHE/fresh, and entered with namespaces
// of their own. What runs in one changes only an overlay, which is removed afterwards.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Root of this checkout. */
export const checkout = fileURLToPath(new URL('../../', import.meta.url));
export const releases = ['bookworm', 'trixie', 'bullseye', 'sid'];
/** Where roots, downloads and logs are kept. */
export const cache = join(
  process.env.DSA_SLURM_TEST_CACHE || join(tmpdir(), 'dsa-slurm-test-cache'),
  'fresh',
);

/** Ends this process with a sentence unless it can make and enter a root of that release. */
export function requireRelease(release) {
  const problem = [
    !releases.includes(release) && `Unknown release ${release}. Known releases: ${releases.join(', ')}.`,
    process.getuid() !== 0 && 'Only root can make and enter a root file system.',
    !isOnPath('debootstrap') && 'debootstrap is missing. Install it: apt-get install debootstrap',
  ].find(Boolean);
  if (!problem) return;
  console.error(problem);
  process.exit(2);
}

function isOnPath(name) {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)));
}

// ---- what the machine is configured with ---------------------------------------------------------------------------

/** Where this machine's apt gets Debian's packages from. */
function mirror() {
  const args = ['indextargets', '--format', '$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)'];
  const lines = execFileSync('apt-get', [...args, 'Created-By: Packages'], { encoding: 'utf8' }).split('\n');
  const found = lines
    .map((line) => line.split(' '))
    .find(
      ([origin, component, codename]) =>
        origin === 'Debian' && component === 'main' && !codename.includes('-'),
    );
  if (found === undefined)
    throw new Error("This machine's apt has no Debian archive. Run apt-get update first.");
  return found[3];
}

/** Variables of the environment that clients of package registries read. */
const clientVariables = Object.fromEntries(
  Object.entries(process.env).filter(([name]) =>
    /^(npm_config_(registry|https?_?proxy|proxy|noproxy|cafile|ca|strict_ssl)|(https?|ftp|all|no)_proxy|pip_(index_url|extra_index_url|cert|trusted_host|proxy|default_timeout)|ssl_cert_(file|dir)|node_extra_ca_certs|curl_ca_bundle|requests_ca_bundle|git_ssl_cainfo)$/i.test(
      name,
    ),
  ),
);

/** Gives a root the machine's own way to package registries: certificates, proxies, and files of apt, npm and pip. */
async function copyClientConfiguration(to) {
  const copy = async (path, target = path) => {
    if (!existsSync(path)) return;
    await mkdir(dirname(join(to, target)), { recursive: true });
    await copyFile(path, join(to, target));
  };
  const aptFiles = existsSync('/etc/apt/apt.conf.d') ? readdirSync('/etc/apt/apt.conf.d') : [];
  for (const path of ['/etc/apt/apt.conf', ...aptFiles.map((name) => `/etc/apt/apt.conf.d/${name}`)]) {
    if (existsSync(path) && /Acquire/.test(readFileSync(path, 'utf8'))) await copy(path);
  }
  for (const path of ['/etc/resolv.conf', '/etc/pip.conf', '/etc/ssl/certs/ca-certificates.crt'])
    await copy(path);
  for (const value of Object.values(clientVariables)) if (/^\/.*\.(crt|pem)$/.test(value)) await copy(value);
  for (const name of ['.config/pip/pip.conf', '.pip/pip.conf'])
    await copy(join(homedir(), name), `/root/${name}`);
  const npmConfig = ['globalconfig', 'userconfig'].map((name) =>
    execFileSync('npm', ['config', 'get', name], { encoding: 'utf8' }).trim(),
  );
  const npmLines = npmConfig.filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8'));
  await mkdir(join(to, 'root'), { recursive: true });
  writeFileSync(join(to, 'root/.npmrc'), npmLines.join('\n'));
  // as Debian's installer writes it
  writeFileSync(join(to, 'etc/hosts'), '127.0.0.1\tlocalhost\n127.0.1.1\tfresh\n');
  writeFileSync(join(to, 'etc/hostname'), 'fresh\n');
}

// ---- the root ------------------------------------------------------------------------------------------------------

const environment = {
  ...clientVariables,
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
};

/** The arguments of `unshare` that run a shell script inside a root. `place` is "-" to change the root itself. */
export function entering(base, place, script, over = {}) {
  const pairs = Object.entries({ ...environment, ...over }).map(([name, value]) => `${name}=${value}`);
  const namespaces = ['--mount', '--pid', '--uts', '--fork', '--kill-child', '--propagation', 'private'];
  const enter = [join(checkout, 'scripts/fresh/enter.sh'), base, place];
  return [...namespaces, '--', ...enter, 'env', '-i', ...pairs, 'sh', '-ec', script];
}

/** What runs inside a root now. */
let running;
const places = [];
process.on('exit', () => running?.kill());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const place of places) rmSync(place, { recursive: true, force: true });
    process.exit(130);
  });
}

/** Has a child process end with this one. */
export function endWithUs(child) {
  running = child;
}

/**
 * Runs a shell script inside a root.
 * @param onOutput told everything that it prints, in order
 * @returns its exit code and everything that it printed
 */
export async function inside(base, place, script, over, onOutput = () => {}) {
  const child = spawn('unshare', entering(base, place, script, over), { stdio: ['ignore', 'pipe', 'pipe'] });
  endWithUs(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (piece) => {
      text += piece;
      onOutput(piece);
    });
  }
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code, text };
}

/** Makes the root of a release, once: Debian's smallest, with Node.js and npm. */
export async function makeBase(release, onOutput) {
  return makeOnce(join(cache, release), async (fresh) => {
    const { stdout } = await run(
      'debootstrap',
      ['--variant=minbase', '--include=ca-certificates', release, fresh, mirror()],
      { maxBuffer: 2 ** 26 },
    );
    onOutput(stdout);
    await chmod(fresh, 0o755);
    await copyClientConfiguration(fresh);
    await install(fresh, ['nodejs', 'npm'], onOutput);
  });
}

/** Makes a root with further packages, once for each list. Nothing that they bring is started. */
export async function makeBaseWith(release, packages, onOutput) {
  const base = await makeBase(release, onOutput);
  const digest = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8);
  return makeOnce(join(cache, `${release}-${digest}`), async (fresh) => {
    await run('cp', ['--archive', `${base}/.`, fresh]);
    await copyClientConfiguration(fresh);
    writeFileSync(join(fresh, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    await install(fresh, packages, onOutput);
  });
}

async function makeOnce(base, make) {
  if (existsSync(base)) return base;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(`${base}.new-`);
  try {
    await make(fresh);
    await rename(fresh, base);
    return base;
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
}

async function install(root, packages, onOutput) {
  const script = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')} && apt-get clean`;
  const { code, text } = await inside(root, '-', script, {}, onOutput);
  if (code !== 0) throw new Error(`${packages.join(', ')} could not be installed:\n${text.slice(-2000)}`);
}

/** A directory that takes what a run changes in a root; downloads are kept from run to run. */
export async function makePlace(release) {
  const place = await mkdtemp(join(cache, `${release}-run-`));
  places.push(place);
  for (const name of ['upper', 'work', 'root', 'srv', 'tmp']) await mkdir(join(place, name));
  await chmod(place, 0o755);
  await chmod(join(place, 'tmp'), 0o1777);
  for (const [name, kept] of [
    ['archives', `archives-${release}`],
    ['npm', 'npm'],
  ]) {
    await mkdir(join(cache, kept, 'partial'), { recursive: true });
    execFileSync('ln', ['-s', join(cache, kept), join(place, name)]);
  }
  await copyClientConfiguration(join(place, 'upper'));
  return place;
}

/** Copies the files of this checkout as they are now, without those that Git ignores. */
export async function copyCheckout(to) {
  await mkdir(to, { recursive: true });
  const listed = execFileSync('git', ['-C', checkout, 'ls-files', '-coz', '--exclude-standard'], {
    encoding: 'utf8',
  });
  const files = listed.split('\0').filter((file) => file !== '' && existsSync(join(checkout, file)));
  const archive = execFileSync('tar', ['-c', '-C', checkout, '--no-recursion', '--', ...files], {
    maxBuffer: 2 ** 28,
  });
  execFileSync('tar', ['-x', '-C', to, '--no-same-owner'], { input: archive });
}
