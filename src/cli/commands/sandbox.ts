import { InvalidArgumentError, type Command } from 'commander';
import { addExamples, type CliContext } from '../context.js';
import { untilSignal } from '../signals.js';

interface SandboxFlags {
  dir?: string;
  keep: boolean;
  count: number;
  girder?: 3 | 5;
  /** False with `--no-console`, else undefined: commander applies no default to options that are added this late. */
  console?: boolean;
  json: boolean;
}

export function define(command: Command, context: CliContext): void {
  command
    .option('--dir <path>', 'directory for all files (default: a new temporary directory)')
    .option('--keep', 'keep the directory afterwards', false)
    .option('--count <n>', 'number of demo analyses', count, 12)
    .option('--girder <major>', 'use a real Girder (5 or 3) from PyPI; runs until interrupted', major)
    .option('--no-console', 'print progress instead of opening the console')
    .option('--json', 'print the result as JSON', false);
  addExamples(command, [
    ['dsa-slurm sandbox', 'start a sandbox, run demo analyses, and watch them'],
    ['dsa-slurm sandbox --no-console --json', 'the same for a script'],
    ['dsa-slurm sandbox --girder 5', 'with a real Girder to log in to, the demo analysis, and the console'],
    ['dsa-slurm sandbox --count 40 --keep --dir /tmp/sandbox', 'more analyses, and keep the files'],
  ]);
  command.action(async () => {
    const { dir, keep, count, girder, console, json } = command.opts<SandboxFlags>();
    const { env, stdout, stderr, stdin } = context;
    const { runSandbox } = await import('../../sandbox/index.js');
    context.exitCode = await untilSignal((signal, onLent) =>
      runSandbox({
        ...(dir === undefined ? {} : { dir }),
        keep,
        count,
        ...(girder === undefined ? {} : { girder }),
        console: console !== false && !json && stdin.isTTY === true && stdout.isTTY === true,
        json,
        env,
        stdout,
        stderr,
        signal,
        onLent,
      }),
    );
  });
}

function major(text: string): 3 | 5 {
  if (text === '3' || text === '5') return text === '3' ? 3 : 5;
  throw new InvalidArgumentError('It must be 3 or 5.');
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 10_000) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 10000.');
  }
  return value;
}
