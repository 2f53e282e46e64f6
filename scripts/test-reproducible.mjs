// npm run test:reproducible
//
// Builds the committed tree twice from nothing: two clones in directories of different names and with different time zones
// and locales, `npm ci` (which builds), `npm pack`. Both packages must have the same bytes; otherwise the files that differ
// are named.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
// npm packs the modes that the files have; a release sets them
process.umask(0o022);
const work = mkdtempSync(join(tmpdir(), 'dsa-slurm-reproducible-'));

/** Builds in a clone. @returns the path of the package */
function build({ name, env }) {
  const directory = join(work, name);
  process.stdout.write(`Building in ${name} …\n`);
  const run = (file, args, cwd) =>
    execFileSync(file, args, {
      cwd,
      env: { ...process.env, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim();
  run('git', ['clone', '--quiet', '--no-hardlinks', root, directory], work);
  run('npm', ['ci', '--no-audit', '--no-fund'], directory);
  return join(directory, run('npm', ['pack', '--ignore-scripts', '--silent'], directory));
}

const digest = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Checksums of the files in a package, by name. */
function filesOf(tarball, name) {
  const directory = mkdtempSync(join(work, `${name}-files-`));
  execFileSync('tar', ['-xpzf', tarball, '-C', directory]);
  const list = execFileSync('find', ['.', '-type', 'f', '-printf', '%p %m\n'], {
    cwd: directory,
    encoding: 'utf8',
  });
  return new Map(
    list
      .trim()
      .split('\n')
      .map((line) => {
        const [path, mode] = line.split(' ');
        return [path, `${mode} ${digest(join(directory, path))}`];
      }),
  );
}

try {
  const [one, other] = [
    { name: 'one', env: { TZ: 'UTC', LC_ALL: 'C.UTF-8' } },
    { name: 'a second directory', env: { TZ: 'Asia/Tokyo', LC_ALL: 'C' } },
  ].map(build);
  if (digest(one) === digest(other)) {
    process.stdout.write(`The same bytes twice: sha256 ${digest(one)}\n`);
  } else {
    const [left, right] = [filesOf(one, 'left'), filesOf(other, 'right')];
    const names = [...new Set([...left.keys(), ...right.keys()])];
    const different = names.filter((name) => left.get(name) !== right.get(name));
    process.stdout.write(
      `The packages differ:\n${different.map((name) => `  ${name}: ${left.get(name)} | ${right.get(name)}\n`).join('') || '  only in their archive headers\n'}`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
