import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

import { dsaSlurm } from './program.js';

/** The command line of `dsa-slurm sandbox` without a terminal. */
export function sandboxCommand(...args: readonly string[]): string[] {
  return [dsaSlurm, 'sandbox', '--no-console', ...args];
}

/** A started sandbox. */
export interface RunningSandbox {
  /** Everything that it has printed. */
  text(): string;
  signal(name: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
}

/** Starts `dsa-slurm sandbox` with these arguments, and an environment with `PATH` only. */
export function startSandbox(
  environment: Readonly<{ HOME: string; TMPDIR: string }>,
  ...args: readonly string[]
): RunningSandbox {
  const [file = '', ...rest] = sandboxCommand(...args);
  const env = { PATH: process.env['PATH'], ...environment };
  const child = spawn(file, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (more: string) => (text += more));
  }
  const ended = once(child, 'close').then(
    ([code, signal]) => (code as number | null) ?? (signal as NodeJS.Signals),
  );
  return { text: () => text, signal: (name) => void child.kill(name), ended };
}

/** Command lines of all processes that name this directory, in their arguments or their environment. */
export async function processesIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // a process may exit meanwhile
    const read = async (name: string): Promise<string> =>
      readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
    const commandLine = (await read('cmdline')).replaceAll('\0', ' ');
    if (commandLine.includes(directory) || (await read('environ')).includes(directory)) {
      found.push(`${pid} ${commandLine}`);
    }
  }
  return found;
}
