// How long the program takes to start, beside an empty Node.
import { execFileSync } from 'node:child_process';

import { program } from './site.mjs';

export const title = 'start of the program';
export const needsSite = false;

export async function measure(_site, { rounds = 21 }) {
  const node = process.execPath;
  return ['--version', '--help'].map((flag) => {
    const [ours, bare] = inTurn([program, flag], [node, '-e', '0'], rounds);
    return { what: `dsa-slurm ${flag} (ms)`, ours, bare, reach: 1.6 };
  });
}

/** Median milliseconds of two commands, in turn, so that a machine that slows down slows both. */
function inTurn(a, b, rounds) {
  const times = [[], []];
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, [file, ...args]] of [a, b].entries()) {
      const start = performance.now();
      execFileSync(file, args, { stdio: 'ignore' });
      if (round > 0) times[index].push(performance.now() - start);
    }
  }
  return times.map((list) => list.sort((x, y) => x - y)[list.length >> 1]);
}
