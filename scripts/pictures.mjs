// npm run pictures: draws the pictures of the README and of docs/ from real frames of the console over a practice site
// (see docs/sandbox.md). Real Slurm jobs run meanwhile; it takes less than a minute.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

import { pictureOf } from './pictures/svg.mjs';

const program = new URL('../bin/dsa-slurm', import.meta.url).pathname;
const pictures = new URL('../docs/pictures/', import.meta.url).pathname;
const cols = 110;
const rows = 26;

// a short name, for it is seen in some of the frames
const dir = await mkdtemp('/tmp/site-');
const { NO_COLOR: _, ...env } = { ...process.env, TERM: 'xterm-256color', COLORTERM: 'truecolor' };
const terminal = new headless.Terminal({ cols, rows, allowProposedApi: true });
const pty = spawn(program, ['sandbox', '--count', '40', '--dir', join(dir, 'practice')], {
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

/** Presses keys, waits until the screen shows it and has come to rest, and keeps the frame. */
async function picture(name, title, keys, what) {
  pty.write(keys);
  await until(what);
  await delay(700);
  await writeFile(join(pictures, `${name}.svg`), pictureOf(terminal, title));
  console.log(`docs/pictures/${name}.svg`);
}

try {
  await mkdir(pictures, { recursive: true });
  await until(/RUNNING[^]*RUNNING[^]*━/);
  await picture('jobs', 'The live table of runs and Slurm jobs', '', /━━/);
  await picture('cancel', 'The question before a Slurm job is canceled', 'x', /y yes/);
  pty.write('n');
  await until(/q quit/);
  await picture('log', 'The log of a running analysis below the table', 'l', /follow/);
  pty.write('l');
  await picture('nodes', 'The nodes of the cluster', '2', /n4 /);
} finally {
  pty.kill();
  await ended;
  await rm(dir, { recursive: true, force: true });
}
