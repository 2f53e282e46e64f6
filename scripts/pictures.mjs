// npm run pictures: draws the pictures of docs/ and the animation of the README from real frames of the console over a
// sandbox (see docs/sandbox.md). Real Slurm jobs run meanwhile; it takes a minute or two.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

import { animationOf, frameOf, pictureOf } from './pictures/svg.mjs';

const root = new URL('..', import.meta.url).pathname.replace(/\/$/u, '');
const program = `${root}/bin/dsa-slurm`;
/** No picture shows where it was made. */
const neutral = (svg) => svg.replaceAll(root, '/opt/dsa-slurm');
const pictures = new URL('../docs/pictures/', import.meta.url).pathname;
const cols = 132;
const rows = 32;

// a short name, for it is seen in some of the frames
const dir = await mkdtemp('/tmp/site-');
const { NO_COLOR: _, ...env } = { ...process.env, TERM: 'xterm-256color', COLORTERM: 'truecolor' };
const terminal = new headless.Terminal({ cols, rows, allowProposedApi: true });
const pty = spawn(program, ['sandbox', '--count', '400', '--dir', join(dir, 'sandbox')], {
  name: 'xterm-256color',
  cols,
  rows,
  env,
});
pty.onData((text) => terminal.write(text));
terminal.onData((answer) => pty.write(answer));
const ended = new Promise((resolve) => pty.onExit(resolve));

function screen() {
  const { active } = terminal.buffer;
  return Array.from(
    { length: rows },
    (_, row) => active.getLine(active.viewportY + row)?.translateToString() ?? '',
  ).join('\n');
}

async function until(what, timeoutMs = 180_000) {
  const deadline = Date.now() + timeoutMs;
  while (!what.test(screen())) {
    if (Date.now() > deadline) throw new Error(`The console never showed ${what}:\n${screen()}`);
    await delay(50);
  }
}

/** Presses keys, and waits until the screen shows it and has come to rest. */
async function show(keys, what) {
  pty.write(keys);
  await until(what);
  await delay(700);
}

const frames = [];

/** Keeps the screen as it is for the animation. */
const keep = (caption, seconds) => frames.push(frameOf(terminal, caption, seconds));

async function picture(name, title, keys, what) {
  await show(keys, what);
  await writeFile(join(pictures, `${name}.svg`), neutral(pictureOf(terminal, title)));
  console.log(`docs/pictures/${name}.svg`);
}

try {
  await mkdir(pictures, { recursive: true });
  await until(/idle nodes/);
  keep('npm run sandbox: a private Slurm, RabbitMQ and fake Girder start', 4);
  await until(/RUNNING[^]*RUNNING[^]*━/);
  // the use of the cluster is read once a minute, and jobs report their progress after some seconds
  await until(/cpus ━[^]*━ +\d+%/);
  await picture('jobs', 'The live table of runs and Slurm jobs', '', /━ +\d+%/);
  keep('The console: runs and Slurm jobs, live', 3);
  await delay(2_000);
  keep('The console: runs and Slurm jobs, live', 3);
  // one that has just begun still runs when the question is answered
  pty.write('j'.repeat(30));
  await until(/▸● RUNNING/);
  await picture('cancel', 'The question before a Slurm job is canceled', 'x', /y yes/);
  keep('x cancels the Slurm job, after one question that names it', 4);
  await show('y', /⊘ ?[1-9]\d*[^]*q quit/);
  keep('scancel has ended it, and Girder shows it as canceled', 3);
  await show('g', /q quit/);
  pty.write('jjjj');
  await picture('log', 'The log of a running analysis below the table', 'l', /follow/);
  keep('l: the log of the analysis, followed', 4);
  await show('l', /q quit/);
  await show('2', /slides done/);
  keep('2: the batch, its progress, rate and expected end', 4);
  await picture('nodes', 'The nodes of the cluster', '3', /n4 /);
  keep('3: the nodes of the cluster', 3);
  await show('7', /✔[^]*✔[^]*q quit/);
  await delay(6_000);
  keep('7: the doctor checks the whole way, from Girder to a compute node', 5);
  const title =
    'The sandbox starts, jobs run in the console, one is canceled, a log is read, the doctor checks the site';
  await writeFile(join(pictures, 'tour.svg'), neutral(animationOf(frames, title, 1)));
  console.log('docs/pictures/tour.svg');
} finally {
  pty.kill();
  await ended;
  await rm(dir, { recursive: true, force: true });
}
