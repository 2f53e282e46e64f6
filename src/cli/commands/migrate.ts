import type { Command } from 'commander';
import { systemClock } from '../../base/clock.js';
import { DsaSlurmError } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { addAnswerFlags, initOptions, type WriteFlags } from './init.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

/** `dsa-slurm migrate`: from the Python worker to this one, and back. */
export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm migrate from /opt/dsa/worker --dry-run', 'what would become of the old setup'],
    ['dsa-slurm migrate status', 'who takes tasks, and what the Python worker still runs'],
    ['dsa-slurm migrate drain', 'stop the Python worker from taking tasks, and wait for those that it runs'],
    ['dsa-slurm migrate undo', 'go back'],
  ]);
  defineFrom(command.command('from'), context);
  defineStatus(command.command('status'), context);
  defineDrain(command.command('drain'), context);
  defineUndo(command.command('undo'), context);
}

function defineFrom(command: Command, context: CliContext): void {
  command
    .description(
      'Read the setup of a Python worker, show what becomes of each value, and write the configuration. This is init with the ' +
        'answers of run.sh, worker.local.cfg, worker.dist.cfg, the compose file and the batch script in that directory. They ' +
        'are read as data: nothing in them is run, and none of them is changed.',
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
    const flags = command.optsWithGlobals<WriteFlags>();
    const { migrate } = await import('../../wizard/migrate/migrate.js');
    context.exitCode = await untilSignal(async (signal) =>
      migrate({ ...(await initOptions(command, context, flags)), from, signal }),
    );
  });
}

function defineStatus(command: Command, context: CliContext): void {
  command
    .description(
      'Show the queues, the workers that consume them and the tasks that each worker holds. Changes nothing.',
    )
    .option('--json', 'as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm migrate status', 'at any time'],
    [
      'dsa-slurm migrate status --json | jq -r \'.workers[] | select(.kind == "python").node\'',
      'Python workers, for a script',
    ],
  ]);
  command.action(async () => {
    const { json } = command.opts<{ json: boolean }>();
    const { settings, profile } = await settingsFor(command, context);
    const { readMigrationStatus } = await import('../../wizard/migrate/drain.js');
    const { readRecord } = await import('../../wizard/migrate/record.js');
    const { statusText } = await import('../../wizard/migrate/render-status.js');
    const { broker } = settings;
    const record = await readRecord(context.env, profile);
    const state = await untilSignal(async (signal) =>
      readMigrationStatus({ broker, clock: systemClock, signal }),
    );
    const drained = record?.drained ?? [];
    if (json) printLine(context.stdout, printableJson({ ...state, drained }, 2));
    else {
      const now = systemClock.now();
      printLine(context.stdout, statusText(state, { queues: broker.queues, drained, now }));
    }
  });
}

function defineDrain(command: Command, context: CliContext): void {
  command
    .description(
      'Stop the Python workers from taking tasks from the queues, through Celery’s remote control, and wait until they have finished those ' +
        'that they hold. No task is interrupted; what waits in the queue is for this worker. Ctrl-C ends only the waiting.',
    )
    .option('--no-wait', 'do not wait for the tasks that they hold')
    .option('--json', 'print the result as JSON; progress goes to standard error', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm migrate drain', 'with progress; may be interrupted and repeated'],
    ['dsa-slurm migrate drain --no-wait && dsa-slurm migrate status', 'look again later'],
  ]);
  command.addHelpText(
    'after',
    [
      '',
      `Exit code: ${exitCodes.ok} if the Python workers hold no tasks any more (or, with --no-wait, take none), ${exitCodes.failure} if one of them ended while it ran`,
      `tasks, did not stop or did not reply, ${exitCodes.unknown} if no Python worker consumes the queues.`,
    ].join('\n'),
  );
  command.action(async () => {
    const { wait, json } = command.opts<{ wait: boolean; json: boolean }>();
    const { settings, profile } = await settingsFor(command, context);
    const { env, stdout, stderr } = context;
    const { drainPythonWorkers } = await import('../../wizard/migrate/drain.js');
    const { emptyRecord, readRecord, writeRecord } = await import('../../wizard/migrate/record.js');
    const { lostText, progressText } = await import('../../wizard/migrate/render-status.js');
    const record = (await readRecord(env, profile)) ?? emptyRecord;
    let shown = '';
    const result = await untilSignal(async (signal) =>
      drainPythonWorkers({
        broker: settings.broker,
        clock: systemClock,
        signal,
        record,
        wait,
        save: async (changed) => writeRecord(env, profile, changed),
        onProgress(progress) {
          const text = progressText(progress);
          if (text !== shown) printLine(stderr, text);
          shown = text;
        },
      }),
    );
    if (result === null) {
      printLine(
        stderr,
        'Stopped waiting. The Python workers take no more tasks; to wait again: dsa-slurm migrate drain',
      );
      context.exitCode = 130;
      return;
    }
    const { nodes, lost, silent } = result;
    if (lost.length > 0 || silent > 0) context.exitCode = exitCodes.failure;
    if (json) return printLine(stdout, printableJson({ ...result, waited: wait }, 2));
    for (const each of lost) printLine(stdout, lostText(each));
    if (silent > 0) {
      printLine(
        stdout,
        `${silent === 1 ? 'One consumer' : `${silent} consumers`} of the queue did not reply and may still take tasks. Run: dsa-slurm migrate status`,
      );
    }
    printLine(
      stdout,
      wait
        ? `${nodes.join(', ')}: no tasks left. It can be stopped where it was started. To go back: dsa-slurm migrate undo`
        : `${nodes.join(', ')}: takes no more tasks. To see what is left: dsa-slurm migrate status`,
    );
  });
}

function defineUndo(command: Command, context: CliContext): void {
  command
    .description(
      'Go back: Python workers that were drained take tasks again, and the files that migrate has written are restored as they were ' +
        'before. Files that were edited since are kept. Stop this worker yourself: its runs are not interrupted.',
    )
    .option('--yes', 'do not ask', false)
    .option('--json', 'as JSON; requires --yes', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm migrate undo', 'shows what it would do, and asks'],
    ['dsa-slurm migrate undo --yes --json', 'from a script'],
  ]);
  command.action(async () => {
    const { yes, json } = command.opts<{ yes: boolean; json: boolean }>();
    const { settings, profile } = await settingsFor(command, context);
    const { env, stdin, stdout } = context;
    if (!yes && (json || stdin.isTTY !== true || stdout.isTTY !== true)) {
      throw new DsaSlurmError('usage', 'migrate undo needs a terminal to ask.', { next: 'Use --yes.' });
    }
    const { undoMigration, undoText } = await import('../../wizard/migrate/undo.js');
    const undone = await untilSignal(async (signal) =>
      undoMigration({
        broker: { broker: settings.broker, clock: systemClock, signal },
        env,
        profile,
        signal,
        confirm: yes ? null : { input: stdin, output: stdout },
      }),
    );
    if (json) printLine(stdout, printableJson(undone, 2));
    else printLine(stdout, undoText(undone));
    if (undone?.consumers.some(({ problem }) => problem !== null) === true) {
      context.exitCode = exitCodes.failure;
    }
  });
}
