// npm run test:sites -- bookworm | trixie | bullseye | sid [--accounting] [--rl] [--keep] [test files] [-- -t title]
//
// Runs the integration tests on the Slurm, slurmdbd, MariaDB, RabbitMQ, Celery and Python of a Debian release: in a root made
// by debootstrap, with the dependencies, the build and the Node.js of this checkout. `--accounting` runs only the tests of a
// site that keeps accounting; `--rl` limits the rate of requests (SlurmctldParameters=rl_enable, from Slurm 23.02 on).
// Roots are kept in $DSA_SLURM_TEST_CACHE/fresh, and so are the logs; what a run changes is removed, unless --keep.
import { createWriteStream } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  cache,
  checkout,
  copyCheckout,
  inside,
  makeBaseWith,
  makePlace,
  requireRelease,
} from './fresh/root.mjs';

/** Everything that the tests look for, so that they install nothing themselves. */
const packages = [
  'slurm-wlm',
  'munge',
  'slurmdbd',
  'mariadb-server',
  'rabbitmq-server',
  'python3-celery',
  'python3-jsonpickle',
  'git',
  'iproute2',
  'openssl',
  'procps',
];

/** Tests that start a Slurm with slurmdbd of their own. */
const withAccounting = [
  'tests/integration/slurm/accounting.test.ts',
  'tests/integration/doctor/accounting.test.ts',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    accounting: { type: 'boolean', default: false },
    rl: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const [release = 'bookworm', ...vitestArguments] = positionals;
requireRelease(release);

// Debian 11 has it in a package that slurmdbd depends on
const plugin = release === 'bullseye' ? [] : ['slurm-wlm-mysql-plugin'];
const base = await makeBaseWith(release, [...packages, ...plugin], () => {});
const logFile = join(cache, `${release}-site.log`);
const log = createWriteStream(logFile);
const say = (text) => {
  process.stdout.write(text);
  log.write(text);
};

/** A word of a shell script. */
function quoted(word) {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

const versions = `
echo 'Debian ${release}'
dpkg-query --showformat '\${Package} \${Version}\n' --show slurm-wlm slurmdbd mariadb-server rabbitmq-server python3-celery python3-kombu python3-jsonpickle
python3 --version
`;

const place = await makePlace(release);
try {
  const inRoot = '/root/dsa-slurm';
  const copy = join(place, 'upper', inRoot);
  await copyCheckout(copy);
  for (const name of ['node_modules', 'build', 'dist']) {
    await cp(join(checkout, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  await inside(base, place, versions, {}, say);
  const tests = [...(values.accounting ? withAccounting : []), ...vitestArguments].map(quoted);
  const { code } = await inside(
    base,
    place,
    `cd ${inRoot}\nexec vitest run --project integration ${tests.join(' ')}`,
    {
      // the pinned Node.js, as in an npm script
      PATH: `${inRoot}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      CI: 'true',
      ...(values.rl && { DSA_SLURM_TEST_SLURM_CONF: 'SlurmctldParameters=rl_enable' }),
    },
    say,
  );
  say(`\nDebian ${release}: ${code === 0 ? 'passed' : `failed (exit code ${code})`}. ${logFile}\n`);
  process.exitCode = code === 0 ? 0 : 1;
} finally {
  if (values.keep) say(`What the run changed is in ${place}\n`);
  else await rm(place, { recursive: true, force: true });
}
