import { DsaSlurmError } from '../../base/errors.js';

/** @throws DsaSlurmError `usage` unless both ends are a terminal. */
export function requireTerminal(stdin: { isTTY?: boolean }, stdout: { isTTY?: boolean }): void {
  if (stdin.isTTY === true && stdout.isTTY === true) return;
  const stream = stdin.isTTY === true ? 'standard output' : 'standard input';
  throw new DsaSlurmError('usage', `The console needs a terminal, but ${stream} is not one.`, {
    next: 'Run `dsa-slurm worker` to run the worker without a screen.',
  });
}
