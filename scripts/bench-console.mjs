// npm run bench:console [-- <jobs>]: what the console costs with many jobs, in a real pseudo terminal.
// The site is simulated (see bench-console-site.mjs); the console, Ink and the terminal are real.
import { readFileSync } from 'node:fs';

import { spawn } from '@lydell/node-pty';

const jobs = Number(process.argv[2] ?? 10_000);
const refreshMs = 10_000;
const keys = 300;
const idleMs = 60_000;
const site = new URL('bench-console-site.mjs', import.meta.url).pathname;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const started = performance.now();
const terminal = spawn(process.execPath, [site, String(jobs), String(refreshMs)], {
  cols: 200,
  rows: 50,
  env: { ...process.env, NODE_ENV: 'production' },
});
let written = 0;
let waiting = null;
let text = '';
terminal.onData((data) => {
  written += Buffer.byteLength(data);
  if (text.length < 1_000_000) text += data;
  waiting?.(data);
});

/** Resolves with the milliseconds until the terminal was written to, after `act`. */
async function untilWritten(act, isIt = () => true) {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing was drawn within 5 s')), 5_000);
    waiting = (data) => {
      if (!isIt(data)) return;
      waiting = null;
      clearTimeout(timer);
      resolve(performance.now() - begun);
    };
    act();
  });
}

/** CPU milliseconds and resident bytes of the console's process, as the kernel counts them: proc(5). */
function usage() {
  const fields = readFileSync(`/proc/${terminal.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${terminal.pid}/status`, 'utf8'))[1];
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10, rssBytes: Number(rss) * 1_024 };
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function show(what, value, wanted) {
  console.log(`${what.padEnd(46)} ${value.padStart(12)}   wanted ${wanted}`);
}

try {
  await untilWritten(
    () => undefined,
    () => text.includes('broker consuming'),
  );
  const firstFrame = performance.now() - started;
  await sleep(1_500);

  const times = [];
  for (let index = 0; index < keys; index += 1) {
    const key = ['j', 'j', 'j', '\u001B[6~', 'k', 'G', 'g'][index % 7];
    times.push(await untilWritten(() => terminal.write(key)));
    // a person's pace, and never in step with the screen's own
    await sleep(45 + (index % 13) * 5);
  }
  times.sort((a, b) => a - b);

  const before = usage();
  const bytesBefore = written;
  const from = performance.now();
  await sleep(idleMs);
  const after = usage();
  const seconds = (performance.now() - from) / 1_000;

  console.log(
    `${jobs} jobs (simulated), terminal of 200 x 50, a new answer of Slurm every ${refreshMs / 1_000} s`,
  );
  show('first frame after start', `${firstFrame.toFixed(0)} ms`, '<= 500 ms');
  show('key to frame, median', `${percentile(times, 0.5).toFixed(1)} ms`, '-');
  show('key to frame, 99th percentile', `${percentile(times, 0.99).toFixed(1)} ms`, '<= 33 ms');
  show('one core, idle', `${((after.cpuMs - before.cpuMs) / seconds / 10).toFixed(1)} %`, '<= 15 %');
  show('resident memory', `${(after.rssBytes / 1e6).toFixed(0)} MB`, '<= 200 MB');
  show(
    'written to the terminal, idle',
    `${((written - bytesBefore) / seconds).toFixed(0)} bytes/s`,
    'little',
  );
} finally {
  terminal.kill();
}
