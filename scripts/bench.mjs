// npm run bench -- [--only burst,latency] [--small] [--count N[,N]] [--json file]
// Figures of the worker on a real RabbitMQ and a real Slurm of four nodes, each beside its bare counterpart in the same
// run where there is one, so that they can be compared between machines. docs/performance.md explains the scenarios.
import { writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';

import { openSite } from './bench/site.mjs';
import { wholeNumber } from './whole-number.mjs';

const names = ['start', 'parts', 'doctor', 'latency', 'burst', 'intake', 'in-flight', 'transfer'];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    /** Sizes that show that each scenario works, and no figures to keep. */
    small: { type: 'boolean', default: false },
    /** Runs of `burst` and `in-flight`, which are measured with each of these numbers. */
    count: { type: 'string' },
    json: { type: 'string' },
  },
});
const chosen = values.only === undefined ? names : values.only.split(',');
const unknown = chosen.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`bench: no scenario ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}
const counts = values.count?.split(',').map((number) => wholeNumber('--count', number, 1)) ?? [];
const sizes = values.small
  ? {
      count: 8,
      lone: 1,
      running: 4,
      doctors: 1,
      inputMegabytes: 8,
      logMegabytes: 1,
      settleSeconds: 0,
      waiting: 8,
      quietSeconds: 1,
      messages: 50,
      rounds: 1,
      events: 20,
      pieces: 1,
    }
  : {};

const scenarios = await Promise.all(
  chosen.map(async (name) => ({ name, ...(await import(`./bench/${name}.mjs`)) })),
);
const site = scenarios.some(({ needsSite = true }) => needsSite) ? await openSite() : null;
const rows = [];
try {
  console.log(
    `${'figure'.padEnd(62)} ${['here', 'bare', 'ratio', 'reach'].map((head) => head.padStart(9)).join('')}`,
  );
  for (const { name, measure, grows = false } of scenarios) {
    const given = counts.map((count) => ({ ...sizes, count, waiting: count }));
    for (const [index, size] of (grows && given.length > 0 ? given : [sizes]).entries()) {
      for (const row of await measure(site, size, index === 0)) {
        rows.push({ scenario: name, ...row });
        show(row);
      }
    }
  }
} finally {
  await site?.close();
}
if (values.json !== undefined) {
  const machine = { cores: availableParallelism(), load: Number(loadavg()[2].toFixed(1)) };
  const figures = { at: new Date().toISOString(), node: process.version, machine, rows };
  await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

function show({ what, ours, bare, reach }) {
  const ratio = bare === undefined ? undefined : ours / bare;
  const cells = [ours, bare, ratio, reach].map((value) =>
    (value === undefined ? '' : value.toFixed(2)).padStart(9),
  );
  const missed = reach !== undefined && (ratio ?? ours) > reach ? '  above' : '';
  console.log(`${what.padEnd(62)} ${cells.join('')}${missed}`);
}
