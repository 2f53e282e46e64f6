// npm run chaos -- --seed N --kills K [--runs R] [--json]: kills the worker and everything around it over a batch of
// real Slurm jobs, and checks that nothing was lost, doubled or wrong. See docs/chaos.md.
import { parseArgs } from 'node:util';

import '../tests/support/source-modules.mjs';
import { wholeNumber } from './whole-number.mjs';

// after the hook above: it is TypeScript
const { runChaos } = await import('../tests/chaos/index.ts');

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    kills: { type: 'string', default: '20' },
    runs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const kills = wholeNumber('--kills', values.kills, 0);
process.exitCode = await runChaos({
  seed: wholeNumber('--seed', values.seed, 0),
  kills,
  runs: values.runs === undefined ? Math.max(10, kills) : wholeNumber('--runs', values.runs, 1),
  json: values.json,
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
