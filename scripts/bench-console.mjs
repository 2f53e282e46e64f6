// npm run bench:console [-- <jobs>]: what the console costs with many jobs.
// The worker is simulated (bench-console-site.mjs). The program is the one that users start, attached over the real socket,
// in a real pseudo terminal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openTerminal, percentile, pressKeys, sleep } from './bench-console-terminal.mjs';
import { wholeNumber } from './whole-number.mjs';

const jobs = wholeNumber('The number of jobs', process.argv[2] ?? '10000', 1);
const refreshMs = 10_000;
const idleMs = 60_000;
const starts = 5;

const program = new URL('../bin/dsa-slurm', import.meta.url).pathname;
const site = new URL('bench-console-site.mjs', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'dsa-slurm-bench-'));
const state = join(home, 'state');
mkdirSync(state, { mode: 0o700 });

function openConsole() {
  return openTerminal(program, ['console', '--worker', '--set', `dirs.state=${state}`], {
    columns: 200,
    rows: 50,
    env: { HOME: home, XDG_CACHE_HOME: join(home, 'cache'), XDG_CONFIG_HOME: join(home, 'config') },
  });
}

/** Milliseconds until the first frame, which has the jobs already. */
async function timeStart() {
  const terminal = openConsole();
  const time = await terminal.shown('TCGA-');
  terminal.kill();
  await terminal.ended;
  return time;
}

function show(what, value, wanted) {
  console.log(`${what.padEnd(46)} ${value.padStart(12)}   wanted ${wanted}`);
}

const worker = spawn(process.execPath, [site, state, String(jobs), String(refreshMs)], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
let terminal = null;
try {
  await once(worker.stdout, 'data');
  const first = await timeStart();
  const times = [];
  for (let start = 0; start < starts; start += 1) times.push(await timeStart());
  times.sort((a, b) => a - b);

  terminal = openConsole();
  await terminal.shown('TCGA-');
  await sleep(1_500);
  const keys = await pressKeys(terminal, ['j', 'j', 'j', '\u001B[6~', 'k', 'G', 'g'], 300);

  const [before, bytesBefore, from] = [terminal.usage(), terminal.bytes(), performance.now()];
  await sleep(idleMs);
  const after = terminal.usage();
  const seconds = (performance.now() - from) / 1_000;

  console.log(
    `${jobs} jobs (simulated), terminal of 200 x 50, a new answer of Slurm every ${refreshMs / 1_000} s`,
  );
  show('first frame after start, with its rows', `${percentile(times, 0.5).toFixed(0)} ms`, '<= 500 ms');
  show('  the very first time, nothing compiled', `${first.toFixed(0)} ms`, '-');
  show('key to frame, median', `${percentile(keys, 0.5).toFixed(1)} ms`, '-');
  show('key to frame, 99th percentile', `${percentile(keys, 0.99).toFixed(1)} ms`, '<= 33 ms');
  show('one core, idle', `${((after.cpuMs - before.cpuMs) / seconds / 10).toFixed(1)} %`, '<= 15 %');
  show('resident memory', `${after.residentMb.toFixed(0)} MB`, '<= 200 MB');
  show('  private, without the program file of Node.js', `${after.privateMb.toFixed(0)} MB`, '<= 80 MB');
  show('  at most', `${after.mostMb.toFixed(0)} MB`, '-');
  show(
    'written to the terminal, idle',
    `${((terminal.bytes() - bytesBefore) / seconds).toFixed(0)} bytes/s`,
    'little',
  );
} finally {
  terminal?.kill();
  worker.kill();
  rmSync(home, { recursive: true, force: true });
}
