import type { CommandOptions, CommandResult, RunCommand } from '../../../src/base/command.js';

export interface Call {
  file: string;
  args: readonly string[];
  options: CommandOptions;
}

/** A command runner that answers from a function and remembers what it was asked. */
export function fakeRun(answer: (call: Call) => CommandResult | Promise<CommandResult>): {
  run: RunCommand;
  calls: Call[];
} {
  const calls: Call[] = [];
  return {
    calls,
    run: async (file, args, options = {}) => {
      const call = { file, args, options };
      calls.push(call);
      return answer(call);
    },
  };
}

export function printed(stdout: string): CommandResult {
  return { kind: 'exited', exitCode: 0, stdout, stderr: '', ms: 1 };
}

export function failed(stderr: string, exitCode = 1): CommandResult {
  return { kind: 'exited', exitCode, stdout: '', stderr, ms: 1 };
}

export const timedOut: CommandResult = { kind: 'timeout', ms: 30_000 };

/** What Slurm 22.05 says while its controller is away. */
export const unreachable = failed(
  'slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n',
);

/** A line of squeue as our own question would have it answered: the separators are taken from the question. */
export function squeueLine(call: Call, fields: Record<string, string>): string {
  const format = call.args.find((arg) => arg.startsWith('--Format='))?.slice('--Format='.length) ?? '';
  return `${format
    .split(',')
    .map((part) => {
      const colon = part.indexOf(':');
      return `${fields[part.slice(0, colon)] ?? ''}${part.slice(colon + 1)}`;
    })
    .join('')}\n`;
}

/** A line of sacct as our own question would have it answered. */
export function sacctLine(call: Call, fields: Record<string, string>): string {
  const value = (name: string): string =>
    call.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
  return `${value('format')
    .split(',')
    .map((name) => fields[name] ?? '')
    .join(value('delimiter'))}\n`;
}
