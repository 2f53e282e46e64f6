// npm run release -- 0.2.0 [--dry-run] [--date 2026-12-01] [--no-archives]
//
// Makes the files of a release: the version in package.json, package-lock.json and README.md, the heading of the changelog,
// the generated pages, notices and SBOM; then, in build/release/, the npm package, the archives with Node.js, their checksums,
// and the release notes, which are the changelog's section. It commits and publishes nothing, and says how. It refuses a
// working tree with changes. --dry-run prints what would be done and writes nothing.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../', import.meta.url));
const output = join(root, 'build', 'release');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'dry-run': { type: 'boolean', default: false },
    date: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    'no-archives': { type: 'boolean', default: false },
  },
});
const [version = '', ...others] = positionals;
const isDryRun = values['dry-run'];

const read = (path) => readFileSync(join(root, path), 'utf8');
const run = (file, args) =>
  execFileSync(file, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

function refuse(why) {
  process.stderr.write(`release: ${why}\n`);
  process.exit(2);
}

const old = JSON.parse(read('package.json')).version;
if (others.length > 0 || !/^\d+\.\d+\.\d+(?:-[0-9a-z.]+)?$/.test(version)) {
  refuse('Name one version, such as: npm run release -- 0.2.0');
}
if (!/^\d{4}-\d{2}-\d{2}$/.test(values.date))
  refuse(`--date ${values.date} is not a date such as 2026-12-01.`);
const numbers = (text) => text.split('-')[0].split('.').map(Number);
const isNewer = numbers(version)
  .map((number, index) => number - numbers(old)[index])
  .find((difference) => difference !== 0);
// a release follows its own prereleases
if (isNewer === undefined ? !old.startsWith(`${version}-`) : isNewer < 0)
  refuse(`${version} is not newer than ${old}.`);
const changed = run('git', ['status', '--porcelain']).trim();
if (changed !== '') refuse(`The working tree has changes. Commit them first:\n${changed}`);

const changelog = read('CHANGELOG.md');
const heading = '## Unreleased\n';
const start = changelog.indexOf(`\n${heading}`) + 1;
if (start === 0) refuse('CHANGELOG.md has no section "## Unreleased".');
if (changelog.includes(`\n## ${version}`)) refuse(`CHANGELOG.md has a section ${version} already.`);
const next = changelog.indexOf('\n## ', start + heading.length);
const section = changelog.slice(start + heading.length, next === -1 ? undefined : next).trim();
if (!/^- /m.test(section)) refuse('The section "## Unreleased" of CHANGELOG.md has no entries.');

/** New contents by path. */
const contents = {
  'CHANGELOG.md': changelog.replace(heading, `## ${version} - ${values.date}\n`),
  // not parsed and written again: its layout is the formatter's
  'package.json': replaceOnce(read('package.json'), `"version": "${old}"`, `"version": "${version}"`),
  'package-lock.json': lockWith(version),
  'README.md': read('README.md').replaceAll(`dsa-slurm-${old}`, `dsa-slurm-${version}`),
};

function replaceOnce(text, from, to) {
  if (text.split(from).length !== 2) throw new Error(`${from} is expected once in package.json.`);
  return text.replace(from, to);
}

function lockWith(newVersion) {
  const lock = JSON.parse(read('package-lock.json'));
  lock.version = newVersion;
  lock.packages[''].version = newVersion;
  return `${JSON.stringify(lock, null, 2)}\n`;
}

/** The section with links that work outside of the repository's root: they name the file instead. */
const notes = `# dsa-slurm ${version}\n\n${section.replaceAll(/\[([^\]]+)\]\((?!https?:)[^)]+\)/g, '$1')}\n`;

if (isDryRun) {
  const files = Object.entries(contents).filter(([path, text]) => text !== read(path));
  process.stdout.write(
    `Would release ${version} (now ${old}), dated ${values.date}:\n` +
      files.map(([path]) => `  write ${path}\n`).join('') +
      '  run npm run docs, npm run notices, npm pack' +
      `${values['no-archives'] ? '' : ', npm run package'}\n\n${notes}`,
  );
} else {
  for (const [path, text] of Object.entries(contents)) writeFileSync(join(root, path), text);
  for (const script of ['docs', 'notices']) run('npm', ['run', script]);
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  // npm packs the modes that the files have, which depend on the umask at the time of the checkout and build
  const { files } = JSON.parse(read('package.json'));
  run('chmod', ['--recursive', 'u=rwX,go=rX', 'package.json', 'README.md', 'LICENSE', ...files]);
  // built by `npm run docs`
  run('npm', ['pack', '--ignore-scripts', '--silent', `--pack-destination=${output}`]);
  if (!values['no-archives']) {
    run('npm', ['run', 'package']);
    const archives = join(root, 'build', 'package');
    for (const name of readdirSync(archives)) {
      if (name.startsWith(`dsa-slurm-${version}-`)) copyFileSync(join(archives, name), join(output, name));
    }
  }
  const sums = readdirSync(output)
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(output, name)))
          .digest('hex')}  ${name}\n`,
    );
  writeFileSync(join(output, 'SHA256SUMS'), sums.join(''));
  writeFileSync(join(output, 'release-notes.md'), notes);
  process.stdout.write(
    `dsa-slurm ${version} is in build/release/:\n` +
      sums.map((sum) => `  ${sum}`).join('') +
      '\nNext:\n' +
      `  npm run check && npx vitest run --project unit\n` +
      `  git commit --all --message "Release ${version}"\n` +
      `  git tag --annotate v${version} --file build/release/release-notes.md\n` +
      `  npm publish build/release/dsa-slurm-${version}.tgz\n`,
  );
}
