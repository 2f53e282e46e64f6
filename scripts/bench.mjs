// npm run bench: figures as ratios that were measured in one run, so that they can be compared between machines.
import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../build/base/log.js';
import { openJournal } from '../build/worker/run-state/journal.js';
import { createProgressTags } from '../build/worker/logs/progress-tags.js';

const node = process.execPath;
const door = new URL('../bin/dsa-slurm', import.meta.url).pathname;

/** Median milliseconds of a command, the two in turn, so that a machine that slows down slows both. */
function compare(a, b, rounds = 21) {
  const times = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [file, ...args]] of [a, b].entries()) {
      const start = performance.now();
      execFileSync(file, args, { stdio: 'ignore' });
      if (round > 0) times[index].push(performance.now() - start);
    }
  }
  return times.map((list) => list.sort((x, y) => x - y)[list.length >> 1]);
}

function show(what, ratio, detail) {
  console.log(`${what.padEnd(52)} ${ratio.toFixed(2).padStart(8)}   ${detail}`);
}

console.log(`${'figure'.padEnd(52)} ${'ratio'.padStart(8)}   measured`);

for (const flag of ['--help', '--version']) {
  const [ours, empty] = compare([door, flag], [node, '-e', '0']);
  show(
    `dsa-slurm ${flag} / start of an empty node`,
    ours / empty,
    `${ours.toFixed(0)} ms / ${empty.toFixed(0)} ms; wanted <= 1.60`,
  );
}

const directory = mkdtempSync(join(tmpdir(), 'dsa-slurm-bench-'));
try {
  const events = 2_000;
  const event = { type: 'log-sent', at: 1, offset: 123_456 };
  const { journal } = await openJournal(join(directory, 'state'), silentLog(), {
    hold: async () => {},
    confirm: async () => {},
  });
  let start = performance.now();
  await Promise.all(Array.from({ length: events }, () => journal.append('run', event)));
  const grouped = performance.now() - start;
  await journal.close();

  const plain = openSync(join(directory, 'plain'), 'a');
  start = performance.now();
  for (let index = 0; index < events; index += 1) {
    writeSync(plain, `${JSON.stringify({ run: 'run', event })}\n`);
    fdatasyncSync(plain);
  }
  const single = performance.now() - start;
  closeSync(plain);
  show(
    'journal: one fdatasync an event / in groups',
    single / grouped,
    `${Math.round((events / single) * 1_000)} / ${Math.round((events / grouped) * 1_000)} durable events a second`,
  );
} finally {
  rmSync(directory, { recursive: true });
}

const piece = `${'a line of an ordinary log, about eighty characters long, without any tag in it\n'.repeat(3_000)}<filter-progress>0.5</filter-progress>\n`;
const pieces = 100;
let start = performance.now();
for (let index = 0; index < pieces; index += 1) Buffer.from(piece).toString('utf8');
const decoding = performance.now() - start;
const tags = createProgressTags();
start = performance.now();
for (let index = 0; index < pieces; index += 1) tags.push(Buffer.from(piece).toString('utf8'));
const parsing = performance.now() - start;
const megabytes = (piece.length * pieces) / 1e6;
show(
  'log: read with progress tags / read as text',
  parsing / decoding,
  `${Math.round(megabytes / (parsing / 1_000))} / ${Math.round(megabytes / (decoding / 1_000))} MB a second`,
);
