import type { Command } from 'commander';
import type { CliContext } from './context.js';

/** One command, known by name before anything of it is loaded. */
export interface CommandEntry {
  name: string;
  summary: string;
  /** The command's file: adds its options, help and action. */
  load: () => Promise<{ define: (command: Command, context: CliContext) => void }>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'set this site up, question by question or from answers',
    load: () => import('./init.js'),
  },
  {
    name: 'console',
    summary: 'watch and cancel runs in a terminal, with the worker inside',
    load: () => import('./console.js'),
  },
  {
    name: 'worker',
    summary: 'run the worker in the foreground, as a service',
    load: () => import('./worker.js'),
  },
  {
    name: 'runs',
    summary: 'list, show, cancel, retry and forget runs',
    load: () => import('./runs.js'),
  },
  {
    name: 'images',
    summary: 'list, inspect, pull, check and remove container images',
    load: () => import('./images.js'),
  },
  {
    name: 'doctor',
    summary: 'say what is wrong, where, and how to mend it',
    load: () => import('./doctor.js'),
  },
  {
    name: 'config',
    summary: 'show and change settings',
    load: () => import('./config.js'),
  },
  {
    name: 'explain',
    summary: 'say what would be done with a task message',
    load: () => import('./explain.js'),
  },
  {
    name: 'sandbox',
    summary: 'try everything on a practice site on this machine',
    load: () => import('./sandbox.js'),
  },
];

/** The help of `dsa-slurm` itself. Plain text, so that the door can show it without loading the parser. */
export function topHelp(): string {
  const width = Math.max(...commands.map(({ name }) => name.length), '--profile <name>'.length) + 2;
  const line = (term: string, meaning: string) => `  ${term.padEnd(width)}${meaning}`;
  return [
    'Usage: dsa-slurm [options] <command>',
    '',
    'Runs Digital Slide Archive analyses on a Slurm cluster.',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => line(name, summary)),
    '',
    'Options:',
    line('--profile <name>', 'the configuration to use (default: "default")'),
    line('--debug', 'show where an error came from'),
    line('-V, --version', 'show the version'),
    line('-h, --help', 'show this, or the help of a command'),
    '',
    'Examples:',
    '  dsa-slurm sandbox               see a batch run, with nothing to set up',
    '  dsa-slurm config show           every setting, and where its value came from',
    '  dsa-slurm --profile lab worker  the worker, with the profile "lab"',
    '',
  ].join('\n');
}
