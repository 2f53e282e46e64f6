// npm run test:fresh [-- bookworm | trixie | bullseye | sid] [--quick] [--keep]
//
// Follows README.md word for word on a Debian that has nothing but Node.js and npm: a root made by debootstrap, entered
// with namespaces of its own. The commands are read from the README, so the two cannot drift. `--quick` runs a small part
// of the tests in place of all of them. Needs root, debootstrap, and an apt that is configured: packages come from the
// mirror that this machine uses, and npm and pip are configured as on this machine.
//
// Roots and downloads are kept in $DSA_SLURM_TEST_CACHE/fresh; what a run changes is removed afterwards, unless --keep.
import { execFileSync } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn as spawnInTerminal } from '@lydell/node-pty';
import {
  cache,
  checkout as root,
  copyCheckout,
  endWithUs,
  entering,
  inside,
  makeBase,
  makePlace,
  requireRelease,
} from './fresh/root.mjs';

const flags = process.argv.slice(2);
const isQuick = flags.includes('--quick');
const release = flags.find((flag) => !flag.startsWith('--')) ?? 'bookworm';
const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
requireRelease(release);

await mkdir(cache, { recursive: true });
const logFile = join(cache, `${release}.log`);
const log = createWriteStream(logFile);
const toLog = (text) => log.write(text);

let base;
let place;

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
  const result = await inside(base, place, script, over, toLog);
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
  const { text: node } = await inside(base, place, 'node --version; npm --version', {}, toLog);
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
  endWithUs(terminal);
  let text = '';
  let isAsked = false;
  let isAnswered = false;
  terminal.onData((piece) => {
    text += piece;
    log.write(piece);
    const screen = text.slice(text.lastIndexOf('@@ doctor'));
    if (!isAnswered && screen.includes('w, s or n?')) {
      isAnswered = true;
      terminal.write('w\r');
    }
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
  base = await makeBase(release, toLog);
  place = await makePlace(release);
  await copyRepository(join(place, 'upper', checkout));
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
async function copyRepository(to) {
  await copyCheckout(to);
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
