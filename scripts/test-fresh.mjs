// npm run test:fresh [-- bookworm | trixie | bullseye | sid] [--quick] [--keep]
//
// Follows README.md word for word on a Debian that has nothing but Node.js and npm: a root made by debootstrap, entered
// with namespaces of its own. The commands are read from the README, so the two cannot drift. `--quick` runs a small part
// of the tests in place of all of them. Needs root, debootstrap, and an apt that is configured: packages come from the
// mirror that this machine uses, and npm and pip are configured as on this machine.
//
// Roots and downloads are kept in $DSA_SLURM_TEST_CACHE/fresh; what a run changes is removed afterwards, unless --keep.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createWriteStream, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { spawn as spawnInTerminal } from '@lydell/node-pty';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
const releases = ['bookworm', 'trixie', 'bullseye', 'sid'];
const flags = process.argv.slice(2);
const isQuick = flags.includes('--quick');
const release = flags.find((flag) => !flag.startsWith('--')) ?? 'bookworm';
const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

const usage = [
  !releases.includes(release) && `There is no release ${release}; these are known: ${releases.join(', ')}.`,
  process.getuid() !== 0 && 'Only root can make and enter a root file system.',
  !isOnPath('debootstrap') && 'debootstrap is missing. Install it: apt-get install debootstrap',
].find(Boolean);
if (usage) {
  console.error(usage);
  process.exit(2);
}

const cache = join(process.env.DSA_SLURM_TEST_CACHE || join(tmpdir(), 'dsa-slurm-test-cache'), 'fresh');
await mkdir(cache, { recursive: true });
const logFile = join(cache, `${release}.log`);
const log = createWriteStream(logFile);

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

/** The argument vector that runs a shell script inside a root. */
function entering(base, place, script, over = {}) {
  const pairs = Object.entries({ ...environment, ...over }).map(([name, value]) => `${name}=${value}`);
  const namespaces = ['--mount', '--pid', '--uts', '--fork', '--kill-child', '--propagation', 'private'];
  const enter = [join(root, 'scripts/fresh/enter.sh'), base, place];
  return [...namespaces, '--', ...enter, 'env', '-i', ...pairs, 'sh', '-ec', script];
}

let base;
let place;
/** What runs inside a root now; it ends with this process. */
let running;
process.on('exit', () => running?.kill());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    if (place !== undefined) rmSync(place, { recursive: true, force: true });
    process.exit(130);
  });
}

/** Runs a shell script inside a root. @returns its exit code and everything that it printed, in order */
async function inside(base, place, script, over) {
  const child = spawn('unshare', entering(base, place, script, over), { stdio: ['ignore', 'pipe', 'pipe'] });
  running = child;
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (piece) => {
      text += piece;
      log.write(piece);
    });
  }
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code, text };
}

/** Makes the root of the release, once: Debian's smallest, with Node.js and npm. */
async function makeBase() {
  const base = join(cache, release);
  if (existsSync(base)) return base;
  const fresh = await mkdtemp(`${base}.new-`);
  try {
    const { stdout } = await run(
      'debootstrap',
      ['--variant=minbase', '--include=ca-certificates', release, fresh, mirror()],
      { maxBuffer: 2 ** 26 },
    );
    log.write(stdout);
    await chmod(fresh, 0o755);
    await copyClientConfiguration(fresh);
    const install =
      'apt-get update && apt-get install -y --no-install-recommends nodejs npm && node --version';
    const { code, text } = await inside(fresh, '-', install);
    if (code !== 0) throw new Error(`Node.js and npm could not be installed:\n${text.slice(-2000)}`);
    await rename(fresh, base);
    return base;
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
}

// ---- what the README says ------------------------------------------------------------------------------------------

const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The commands in the fenced blocks of a section, one string each; a block may hold several lines. */
function commandsOf(heading) {
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  const blocks = [...(section ?? '').matchAll(/^```sh\n([^]*?)\n```$/gm)].map(([, block]) => block);
  if (blocks.length === 0) throw new Error(`README.md has no commands under "${heading}".`);
  return blocks;
}

/** Fails unless each block begins as this script understands it. */
function blocksOf(heading, ...beginnings) {
  const blocks = commandsOf(heading);
  if (blocks.length !== beginnings.length || !blocks.every((block, n) => block.includes(beginnings[n]))) {
    throw new Error(
      `README.md, "${heading}", has other commands than scripts/test-fresh.mjs follows:\n${blocks.join('\n')}`,
    );
  }
  return blocks;
}

const [sandboxCommand] = blocksOf('See it work', 'npm run sandbox');
const [testCommand] = blocksOf('Run the tests', 'npm test');
const [fromCheckout, fromTarball, fromGit, makeArchive, unpackArchive] = blocksOf(
  'Install',
  'npm pack --silent',
  './dsa-slurm',
  'git+<address of the repository>',
  'npm run package',
  'tar -xzf',
);
const [siteCommands] = blocksOf('Your own site in ten minutes', 'dsa-slurm init');
const [init, doctor, consoleCommand] = siteCommands.split('\n').map((line) => line.replace(/\s+#.*$/, ''));
if (!init.endsWith('init') || !doctor.endsWith('doctor') || !consoleCommand.endsWith('console')) {
  throw new Error(`README.md does not say init, doctor, console, but:\n${siteCommands}`);
}

// ---- the walk ------------------------------------------------------------------------------------------------------

const failures = [];
const checkout = '/root/dsa-slurm';

/** Runs a step inside the root, and says how it went. `holds` answers with what is wrong, or nothing. */
async function step(title, script, holds, over) {
  log.write(`\n======== ${title}\n$ ${script}\n`);
  const started = performance.now();
  const result = await inside(base, place, script, over);
  verdict(title, started, result, holds(result));
  return result;
}

function verdict(title, started, { code, text }, wrong) {
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${wrong ? '✗' : '✓'} ${title} (${seconds} s)${wrong ? `: ${wrong}` : ''}`);
  log.write(`\n-------- ${title}: exit code ${code}${wrong ? `, ${wrong}` : ''}\n`);
  if (!wrong) return;
  failures.push(title);
  console.log(text.trimEnd().split('\n').slice(-15).join('\n').replaceAll(/^/gm, '    '));
}

const succeeds = ({ code }) => code !== 0 && `exit code ${code}`;
const prints = (what) => (result) =>
  succeeds(result) || (!what.test(result.text) && `it does not print ${what}`);
const isVersion = prints(new RegExp(`^${version.replaceAll('.', String.raw`\.`)}$`, 'm'));

// with the Node.js of the release, which may be too old: then the program says so, in one sentence
const isNewEnough = ({ code, text }) =>
  code === 0
    ? isVersion({ code, text })
    : !/^dsa-slurm: Node\.js [\d.]+ (is too old|cannot run this).*README, Install\)\.$/m.test(text) &&
      'neither the version nor the sentence about Node.js';
const installed = (command) => `${command}\nexport PATH=~/.local/bin:$PATH\ndsa-slurm --version`;

async function walk() {
  const { text: node } = await inside(base, place, 'node --version; npm --version');
  console.log(`Debian ${release} with Node.js ${node.trim().split('\n').join(', npm ')}`);

  await step(
    'See it work',
    `cd ${checkout}\n${sandboxCommand}`,
    prints(/^All \d+ analyses ended as planned/m),
  );

  const some = 'npx vitest run --project unit tests/unit/cli tests/unit/config tests/unit/slurm';
  await step(
    isQuick ? 'Run the tests (a small part)' : 'Run the tests',
    `cd ${checkout}\n${isQuick ? testCommand.replace('npm test', some) : testCommand}`,
    succeeds,
  );

  await step('Install from a checkout', `cd ${checkout}\n${installed(fromCheckout)}`, isNewEnough);
  if (!isQuick) {
    const home = { HOME: '/root/tarball' };
    const setUp = 'mkdir -p $HOME && cp /root/.npmrc $HOME && cd $HOME';
    await step(
      'Install from a tarball',
      `${setUp}\n(cd ${checkout} && npm pack --silent --pack-destination $HOME)\n${installed(fromTarball)}`,
      isNewEnough,
      home,
    );
    const address = `file://${checkout}`;
    await step(
      'Install from a git address',
      `apt-get install -y --no-install-recommends git\n${setUp}\n${installed(fromGit.replace('<address of the repository>', address))}`,
      isNewEnough,
      { HOME: '/root/git' },
    );
  }
  const remove = 'npm uninstall --global --prefix ~/.local dsa-slurm';
  await step('Make the archives', `${remove}\ncd ${checkout}\n${makeArchive}`, prints(/arm64\.tar\.gz/));
  const noNode = 'apt-get remove -y nodejs && ! command -v node';
  await step(
    'Install the archive, without Node.js',
    `${noNode}\ncd ${checkout}\n${installed(unpackArchive)}`,
    isVersion,
  );
  await setUpSite();
}

/** init, doctor and console, one after the other on one site, in a terminal. */
async function setUpSite() {
  const answers = [
    '--yes --base /root/shared --partition pathology --answer slurm.time=0:10:00 --images "$SITE_IMAGES"',
    '--broker "$SITE_BROKER" --broker-user "$SITE_BROKER_USER" --girder "$SITE_GIRDER" --service script',
  ].join(' ');
  const script = `
cd ${checkout}
node_modules/node/bin/node scripts/fresh/site.mjs /tmp/site > /tmp/site.log 2>&1 &
until [ -e /tmp/site.env ]; do kill -0 $! || { cat /tmp/site.log; exit 1; }; sleep 1; done
. /tmp/site.env
export PATH=~/.local/bin:$PATH
cd
set +e
${init} ${answers}
echo "@@ init $?"
${doctor}
echo "@@ doctor $?"
${consoleCommand}
echo "@@ console $?"
`;
  log.write(`\n======== init, doctor, console\n$ ${script}\n`);
  const started = performance.now();
  const terminal = spawnInTerminal('unshare', entering(base, place, script, { TERM: 'xterm-256color' }), {
    name: 'xterm-256color',
    cols: 120,
    rows: 40,
    env: process.env,
  });
  running = terminal;
  let text = '';
  let isAsked = false;
  terminal.onData((piece) => {
    text += piece;
    log.write(piece);
    const screen = text.slice(text.lastIndexOf('@@ doctor'));
    // it says that it takes tasks: leave it
    if (!isAsked && text.includes('@@ doctor') && /consuming/.test(screen)) {
      isAsked = true;
      terminal.write('q');
    }
  });
  const code = await new Promise((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
  const codeOf = (name) => Number(new RegExp(`@@ ${name} (\\d+)`).exec(text)?.[1] ?? -1);
  const result = { code, text };
  verdict('init', started, result, codeOf('init') !== 0 && `exit code ${codeOf('init')}`);
  verdict('doctor', started, result, codeOf('doctor') !== 0 && `exit code ${codeOf('doctor')}`);
  verdict(
    'console',
    started,
    result,
    (!isAsked && 'it never said that it consumes') ||
      (codeOf('console') !== 0 && `exit code ${codeOf('console')}`),
  );
}

try {
  base = await makeBase();
  place = await mkdtemp(join(cache, `${release}-run-`));
  for (const name of ['upper', 'work', 'root', 'archives', 'npm'])
    await mkdir(join(place, name), { recursive: true });
  // downloads are kept from run to run; the folders of this run are only where they are mounted
  for (const [name, kept] of [
    ['archives', `archives-${release}`],
    ['npm', 'npm'],
  ]) {
    await rm(join(place, name), { recursive: true });
    await mkdir(join(cache, kept, 'partial'), { recursive: true });
    execFileSync('ln', ['-s', join(cache, kept), join(place, name)]);
  }
  await copyClientConfiguration(join(place, 'upper'));
  await copyCheckout(join(place, 'upper', checkout));
  await walk();
} finally {
  if (place !== undefined && !flags.includes('--keep')) await rm(place, { recursive: true, force: true });
}
console.log(
  failures.length === 0
    ? `Debian ${release}: everything does what README.md says. ${logFile}`
    : `Debian ${release}: ${failures.length} steps do not do what README.md says: ${failures.join('; ')}. ${logFile}`,
);
process.exitCode = failures.length === 0 ? 0 : 1;

/** The files of this checkout as they are now, as a repository of their own. */
async function copyCheckout(to) {
  await mkdir(to, { recursive: true });
  const listed = execFileSync('git', ['-C', root, 'ls-files', '-coz', '--exclude-standard'], {
    encoding: 'utf8',
  });
  const files = listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
  const archive = execFileSync('tar', ['-c', '-C', root, '--no-recursion', '--', ...files], {
    maxBuffer: 2 ** 28,
  });
  execFileSync('tar', ['-x', '-C', to, '--no-same-owner'], { input: archive });
  const git = (...args) => execFileSync('git', ['-C', to, ...args], { stdio: 'ignore' });
  git('init', '--quiet');
  git('add', '--all');
  git(
    '-c',
    'user.name=fresh',
    '-c',
    'user.email=fresh@localhost',
    'commit',
    '--quiet',
    '--message',
    'A checkout',
  );
}
