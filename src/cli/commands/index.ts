import type { Command } from 'commander';
import type { CliContext } from '../context.js';

/** A command whose module is loaded only when it is used. */
interface CommandEntry {
  name: string;
  summary: string;
  /** Loads the module that adds the command's options, help and action. */
  load: () => Promise<{ define: (command: Command, context: CliContext) => void }>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'set up this site, interactively or from an answers file',
    load: () => import('./init.js'),
  },
  {
    name: 'console',
    summary: 'watch and control runs; runs a worker if none is running',
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
    name: 'batches',
    summary: 'show batches of slides, and retry or cancel in them',
    load: () => import('./batches.js'),
  },
  {
    name: 'advise',
    summary: 'propose memory, time and CPUs from what runs used',
    load: () => import('./advise.js'),
  },
  {
    name: 'images',
    summary: 'list, inspect, pull, check and remove container images',
    load: () => import('./images.js'),
  },
  {
    name: 'doctor',
    summary: 'diagnose problems and suggest fixes',
    load: () => import('./doctor.js'),
  },
  {
    name: 'config',
    summary: 'show and change settings',
    load: () => import('./config.js'),
  },
  {
    name: 'explain',
    summary: 'show how a task message would be run, without running it',
    load: () => import('./explain.js'),
  },
  {
    name: 'sandbox',
    summary: 'try everything in a sandbox on this machine',
    load: () => import('./sandbox.js'),
  },
  {
    name: 'status',
    summary: 'print the state of the worker in one line, for monitoring',
    load: () => import('./status.js'),
  },
  {
    name: 'logs',
    summary: 'print or follow the log of a run, or of the worker',
    load: () => import('./logs.js'),
  },
  {
    name: 'support-bundle',
    summary: 'gather logs and settings in one file for support',
    load: () => import('./support-bundle.js'),
  },
  {
    name: 'upgrade',
    summary: 'check whether this version can replace the running worker',
    load: () => import('./upgrade.js'),
  },
  {
    name: 'migrate',
    summary: 'move from the Python worker to this one, and back',
    load: () => import('./migrate.js'),
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    load: () => import('../completion/index.js'),
  },
];

/** Adds the options, help and action of a top-level command, which are loaded only now. */
export async function loadCommand(command: Command, context: CliContext): Promise<void> {
  const entry = commands.find(({ name }) => name === command.name());
  (await entry?.load())?.define(command, context);
}

/** The help of `dsa-slurm` itself. Plain text, so that main.ts can print it without loading the parser. */
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
    line('--debug', 'print stack traces of errors'),
    line('-V, --version', 'show the version'),
    line('-h, --help', 'show this help, or the help of a command'),
    '',
    'Examples:',
    '  dsa-slurm sandbox               run a demo batch without any setup',
    '  dsa-slurm config show           settings, and where their values come from',
    '  dsa-slurm --profile lab worker  run the worker with the profile "lab"',
    '',
  ].join('\n');
}
