// npm run chaos -- --seed N --kills K [--runs R] [--json]: kills the worker and everything around it over a batch of
// real Slurm jobs, and checks that nothing was lost, doubled or wrong. See docs/chaos.md.
import { parseArgs } from 'node:util';

import { runChaos } from '../dist/sandbox/chaos/index.js';

function whole(name, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 100_000) return value;
  process.stderr.write(`chaos: --${name} must be a whole number.\n`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    kills: { type: 'string', default: '20' },
    runs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const kills = whole('kills', values.kills);
process.exitCode = await runChaos({
  seed: whole('seed', values.seed),
  kills,
  runs: values.runs === undefined ? Math.max(10, kills) : whole('runs', values.runs),
  json: values.json,
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
