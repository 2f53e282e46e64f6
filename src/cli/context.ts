import type { Command } from 'commander';

/** What a command may touch of the process: passed in, so that tests run commands without one. */
export interface CliContext {
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
  /** Of this package. */
  version: string;
  /** What the process ends with, unless an error says otherwise. */
  exitCode: number;
}

/** Flags that every command understands, before and after its name. */
export interface GlobalFlags {
  profile: string;
  debug: boolean;
}

/** Examples at the end of a command's help: command line and what it is for. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [line: string, meaning: string])[],
): void {
  const text = examples.map(([line, meaning]) => `  # ${meaning}\n  ${line}`);
  command.addHelpText('after', `\nExamples:\n${text.join('\n')}`);
}

export function printLine(stream: NodeJS.WritableStream, text: string): void {
  stream.write(`${text}\n`);
}
