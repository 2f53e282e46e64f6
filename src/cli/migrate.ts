import type { Command } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import { packageFile } from '../base/package-file.js';
import { printableJson } from '../base/printable-json.js';
import { addExamples, printLine, type CliContext, type GlobalFlags } from './context.js';
import { addAnswerFlags, givenAnswers, type AnswerFlags } from './init.js';
import { untilSignal } from './signals.js';

/** `dsa-slurm migrate`: from the Python worker to this one, and back. */
export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm migrate from /opt/dsa/worker --dry-run', 'what would become of the old setup'],
    ['dsa-slurm migrate undo', 'go back'],
  ]);
  defineFrom(command.command('from'), context);
  defineUndo(command.command('undo'), context);
}

interface FromFlags extends GlobalFlags, AnswerFlags {
  yes: boolean;
  dryRun: boolean;
  json: boolean;
}

function defineFrom(command: Command, context: CliContext): void {
  command
    .description(
      'Read the setup of a Python worker, show what becomes of each value, and write the configuration. This is init with the answers of\n' +
        'run.sh, worker.local.cfg, worker.dist.cfg, the compose file and the batch script in that directory. They are read as data: nothing\n' +
        'in them is run, and none of them is changed.',
    )
    .argument('<dir>', 'directory of run.sh, or of docker-compose.yml')
    .option('--yes', 'do not ask: use these values, given answers, and proposals for the others', false)
    .option('--dry-run', 'show what would be written, without writing it', false)
    .option('--json', 'with --yes or --dry-run: print the result as JSON', false);
  addAnswerFlags(command);
  addExamples(command, [
    [
      'dsa-slurm migrate from /opt/dsa/worker',
      'at a terminal: asks for what is missing, and before it writes',
    ],
    ['dsa-slurm migrate from /opt/dsa/worker --dry-run', 'writes nothing'],
    [
      'dsa-slurm migrate from /opt/dsa/worker --yes --tmp /shared/tmp --json',
      'from a script, with one answer of its own',
    ],
  ]);
  command.action(async (from: string) => {
    const flags = command.optsWithGlobals<FromFlags>();
    const { env, stdin, stdout, stderr } = context;
    const { migrate } = await import('../wizard/migrate/migrate.js');
    context.exitCode = await untilSignal(async (signal) =>
      migrate({
        profile: flags.profile,
        env,
        program: packageFile('bin/dsa-slurm'),
        answers: await givenAnswers(command, flags, stdin),
        from,
        yes: flags.yes,
        dryRun: flags.dryRun,
        json: flags.json,
        overwrite: flags.overwrite,
        probe: flags.probe,
        stdin,
        stdout,
        stderr,
        signal,
      }),
    );
  });
}

function defineUndo(command: Command, context: CliContext): void {
  command
    .description(
      'Restore the files that migrate has written, as they were before. Files that were edited since are kept.',
    )
    .option('--yes', 'do not ask', false)
    .option('--json', 'as JSON; requires --yes', false);
  addExamples(command, [
    ['dsa-slurm migrate undo', 'shows what it would do, and asks'],
    ['dsa-slurm migrate undo --yes --json', 'from a script'],
  ]);
  command.action(async () => {
    const { yes, json, profile } = command.optsWithGlobals<GlobalFlags & { yes: boolean; json: boolean }>();
    const { env, stdin, stdout } = context;
    if (!yes && (json || stdin.isTTY !== true || stdout.isTTY !== true)) {
      throw new DsaSlurmError('usage', 'migrate undo needs a terminal to ask.', { next: 'Use --yes.' });
    }
    const { undoMigration, undoText } = await import('../wizard/migrate/undo.js');
    const undone = await untilSignal(async (signal) =>
      undoMigration({ env, profile, signal, confirm: yes ? null : { input: stdin, output: stdout } }),
    );
    if (json) printLine(stdout, printableJson(undone, 2));
    else printLine(stdout, undoText(undone));
  });
}
