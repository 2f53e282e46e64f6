// npm run test:sites -- bookworm | trixie | bullseye | sid [--accounting] [--rl] [--keep] [test files] [-- -t title]
//
// Runs the integration tests on the Slurm, slurmdbd, MariaDB, RabbitMQ, Celery and Python of a Debian release: in a root made
// by debootstrap, with the dependencies, the build and the Node.js of this checkout. With `--accounting`, the
// shared Slurm records its jobs with slurmdbd and enforces limits; `--rl` runs only the test of a controller that limits the
// rate of requests (SlurmctldParameters=rl_enable, from Slurm 23.02 on).
// Roots are kept in $DSA_SLURM_TEST_CACHE/fresh, and so are the logs; what a run changes is removed, unless --keep.
import { createWriteStream } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
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
  // not in /root: a worker that is not root must read it
  const inRoot = '/srv/dsa-slurm';
  const copy = join(place, inRoot);
  await copyCheckout(copy);
  for (const name of ['node_modules', 'build', 'dist']) {
    await cp(join(checkout, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  // srun listens on the address of the host name, and slurmd calls back to the address that it was called from
  await writeFile(join(place, 'upper/etc/hosts'), '127.0.0.1\tlocalhost fresh\n');
  await inside(base, place, versions, {}, say);
  const tests = [
    ...(values.rl ? ['tests/integration/slurm/rate-limit.test.ts'] : []),
    ...vitestArguments,
  ].map(quoted);
  const { code } = await inside(
    base,
    place,
    `cd ${inRoot}\nexec vitest run --project integration ${tests.join(' ')}`,
    {
      // the pinned Node.js, as in an npm script
      PATH: `${inRoot}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      CI: 'true',
      ...(values.accounting && { DSA_SLURM_TEST_ACCOUNTING: '1' }),
    },
    say,
  );
  say(`\nDebian ${release}: ${code === 0 ? 'passed' : `failed (exit code ${code})`}. ${logFile}\n`);
  process.exitCode = code === 0 ? 0 : 1;
} finally {
  if (values.keep) say(`What the run changed is in ${place}\n`);
  else await rm(place, { recursive: true, force: true });
}
