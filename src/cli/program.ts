import { Command, CommanderError } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import { commands, loadCommand, topHelp } from './commands/index.js';
import type { CliContext } from './context.js';
import { exitCodeFor, exitCodes } from './exit.js';
import { renderError } from './render-error.js';

/** Runs a command line (without node and script). Never throws. @returns the exit code */
export async function runProgram(argv: readonly string[], context: CliContext): Promise<number> {
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
  const ownFlags = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const program = createProgram(context);
  try {
    await program.parseAsync(words, { from: 'user' });
    return context.exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok; // help or version was printed
    const error = thrown instanceof CommanderError ? usageError(thrown, program, ownFlags) : thrown;
    const rendered = renderError(error, {
      json: ownFlags.includes('--json'),
      debug: ownFlags.includes('--debug'),
    });
    context.stdout.write(rendered.stdout);
    context.stderr.write(rendered.stderr);
    return exitCodeFor(error);
  }
}

/** Every command with its options, for the documentation. */
export async function definedCommands(context: CliContext): Promise<readonly Command[]> {
  const program = createProgram(context);
  for (const command of program.commands) await loadCommand(command, context);
  return program.commands;
}

function createProgram(context: CliContext): Command {
  const program = new Command('dsa-slurm')
    .option('--profile <name>', 'the configuration to use', 'default')
    .option('--debug', 'print stack traces of errors', false)
    .version(context.version)
    .helpCommand(false)
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      subcommandDescription: (command) => firstSentence(command.description()),
    })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: () => {}, // errors are thrown and printed by renderError
    });
  program.helpInformation = topHelp;
  for (const { name, summary } of commands) program.command(name).description(sentence(summary));
  program.hook('preSubcommand', async (_program, command) => loadCommand(command, context));
  return program;
}

/** What a list of commands says of one; its own help says the rest. */
function firstSentence(text: string): string {
  return /^.*?\.(?=\s|$)/s.exec(text)?.[0] ?? text;
}

function usageError(error: CommanderError, program: Command, words: readonly string[]): DsaSlurmError {
  // thrown by commander after it printed the help of a command that needs a subcommand
  const message =
    error.code === 'commander.help'
      ? 'Name a command.'
      : error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new DsaSlurmError('usage', message, {
    next: `See: ${commandOf(program, words)} --help`,
    cause: error,
  });
}

/** The command that a command line names, as far as its words are commands. */
function commandOf(program: Command, words: readonly string[]): string {
  let command = program;
  const path = [program.name()];
  for (const word of words) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) continue;
    command = next;
    path.push(word);
  }
  return path.join(' ');
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
