// Runs the integration tests on the Slurm and RabbitMQ of one release:
//   npm run test:sites -- bookworm [--accounting]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Tests that start a Slurm with slurmdbd of their own. */
const withAccounting = [
  'tests/integration/slurm/accounting.test.ts',
  'tests/integration/doctor/accounting.test.ts',
];

/** By release: how a command is run there. Other releases are roots that are entered first. */
const releases = new Map([['bookworm', (command) => command]]);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { accounting: { type: 'boolean', default: false } },
});
const [release = 'bookworm'] = positionals;
const enter = releases.get(release);
if (enter === undefined) {
  console.error(`There is no site "${release}". There are: ${[...releases.keys()].join(', ')}.`);
  process.exit(2);
}
const here = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
if (release === 'bookworm' && here !== 'bookworm') {
  console.error(`This machine is ${here ?? 'no Debian'}, not bookworm.`);
  process.exit(2);
}
const tests = values.accounting ? withAccounting : [];
const [file, ...args] = enter(['npx', 'vitest', 'run', '--project', 'integration', ...tests]);
process.exit(spawnSync(file, args, { stdio: 'inherit' }).status ?? 1);
