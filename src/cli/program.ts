import { Command, CommanderError } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import { commands, topHelp } from './commands.js';
import type { CliContext } from './context.js';
import { exitCodeFor, exitCodes } from './exit.js';
import { renderError } from './render-error.js';

/** Runs one command line (without node and script) and answers with the exit code. Never throws. */
export async function runProgram(argv: readonly string[], context: CliContext): Promise<number> {
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
  const ours = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  try {
    await createProgram(context).parseAsync(words, { from: 'user' });
    return context.exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok; // help or version was asked for
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    const rendered = renderError(error, { json: ours.includes('--json'), debug: ours.includes('--debug') });
    context.stdout.write(rendered.stdout);
    context.stderr.write(rendered.stderr);
    return exitCodeFor(error);
  }
}

function createProgram(context: CliContext): Command {
  const program = new Command('dsa-slurm')
    .option('--profile <name>', 'the configuration to use', 'default')
    .option('--debug', 'show where an error came from', false)
    .version(context.version)
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: () => {}, // errors are thrown, and shown by renderError
    });
  program.helpInformation = topHelp;
  for (const { name, summary } of commands) program.command(name).description(sentence(summary));
  program.hook('preSubcommand', async (_program, command) => {
    const entry = commands.find(({ name }) => name === command.name());
    (await entry?.load())?.define(command, context);
  });
  return program;
}

function usageError(error: CommanderError): DsaSlurmError {
  // commander throws this after it has shown the help of a command that needs a subcommand
  const message =
    error.code === 'commander.help'
      ? 'Name a command.'
      : error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new DsaSlurmError('usage', message, { next: 'See: dsa-slurm <command> --help', cause: error });
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
