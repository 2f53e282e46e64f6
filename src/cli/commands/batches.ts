import type { Command } from 'commander';

import { systemClock } from '../../base/clock.js';
import { silentLog } from '../../base/log.js';
import { printableJson } from '../../base/text/printable-json.js';
import type { Batch, JournalBatches } from '../../worker/batches/index.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

const endings = [
  '',
  'A batch is inferred: runs of one user, image and CLI with the same arguments but for the inputs, started close together.',
  `Exit code: 0 on success, ${exitCodes.failure} if refused, ${exitCodes.usage} for invalid arguments, ${exitCodes.unknown} if the batch does not exist.`,
].join('\n');

export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm batches list', 'how far each batch is, and when it will end'],
    ['dsa-slurm batches show 1f0c27', 'one batch, with its failures by reason'],
    ['dsa-slurm batches retry 1f0c27', 'retry the failed slides of a batch'],
  ]);
  defineList(command.command('list', { isDefault: true }), context);
  defineShow(command.command('show'), context);
  defineFailures(command.command('failures'), context);
  defineAction(command.command('cancel'), context, {
    does: 'Cancel the slides of a batch that have not ended, and their jobs.',
    targets: ({ unfinished }) => unfinished,
    nothing: 'All slides of this batch have ended.',
  });
  defineAction(command.command('retry'), context, {
    does: 'Retry the failed slides of a batch, each as a new run with its own Girder job, with the resources that the settings give now.',
    targets: ({ failures }) => failures.flatMap(({ runs }) => runs),
    nothing: 'No slide of this batch has failed.',
  });
}

interface JsonFlag {
  json: boolean;
}

function defineList(command: Command, context: CliContext): void {
  command.description('List batches, newest first.').option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm batches', 'all'],
    ["dsa-slurm batches --json | jq -r '.batches[] | select(.failed > 0) | .id'", 'batches with failures'],
  ]);
  command.addHelpText('after', endings);
  command.action(async () => {
    const { batches, damagedLines } = await read(command, context);
    if (command.opts<JsonFlag>().json) {
      printLine(context.stdout, printableJson({ inferred: true, damagedLines, batches }, 2));
      return;
    }
    const { renderBatches, renderBatchSource } = await import('../../worker/batches/index.js');
    if (batches.length > 0) context.stdout.write(renderBatches(batches, Date.now()));
    context.stderr.write(renderBatchSource(batches.length, damagedLines));
  });
}

function defineShow(command: Command, context: CliContext): void {
  command
    .description('Print how one batch goes, what its slides need, and its failures by reason.')
    .argument('<batch>', 'beginning of its id, which is that of its first run')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [['dsa-slurm batches show 1f0c27', 'one batch']]);
  command.addHelpText('after', endings);
  command.action(async (word: string) => {
    const { findBatch, renderBatch } = await import('../../worker/batches/index.js');
    const batch = findBatch((await read(command, context)).batches, word);
    if (command.opts<JsonFlag>().json)
      printLine(context.stdout, printableJson({ inferred: true, ...batch }, 2));
    else context.stdout.write(renderBatch(batch, Date.now()));
  });
}

function defineFailures(command: Command, context: CliContext): void {
  command
    .description('Print the failed slides of a batch, grouped by reason.')
    .argument('<batch>', 'beginning of its id')
    .option('--csv', 'for a spreadsheet (the default)', false)
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [['dsa-slurm batches failures 1f0c27 --csv > failures.csv', 'into a file']]);
  command.addHelpText('after', endings);
  command.action(async (word: string) => {
    const { failedRuns, failuresCsv, findBatch } = await import('../../worker/batches/index.js');
    const { batches, runs } = await read(command, context);
    const failed = failedRuns(findBatch(batches, word), runs);
    if (command.opts<JsonFlag>().json) printLine(context.stdout, printableJson(failed, 2));
    else context.stdout.write(failuresCsv(failed));
  });
}

interface ActionWords {
  does: string;
  /** Ids of the runs that it applies to. */
  targets: (batch: Batch) => readonly string[];
  nothing: string;
}

function defineAction(command: Command, context: CliContext, { does, targets, nothing }: ActionWords): void {
  const kind = command.name() === 'cancel' ? 'cancel' : 'retry';
  command
    .description(does)
    .argument('<batch>', 'beginning of its id')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [[`dsa-slurm batches ${kind} 1f0c27`, `${kind} in one batch`]]);
  command.addHelpText('after', endings);
  command.action(async (word: string) => {
    const [{ findBatch }, { openRuns }] = await Promise.all([
      import('../../worker/batches/index.js'),
      import('../../worker/runs/index.js'),
    ]);
    const { settings } = await settingsFor(command, context);
    const asked = targets(findBatch((await read(command, context)).batches, word));
    const options = { settings, env: context.env, clock: systemClock, log: silentLog() };
    let answer = { ok: true, message: nothing };
    if (asked.length > 0) {
      const runs = await openRuns(options);
      try {
        answer = await runs.act(kind, { runs: asked, jobs: [] });
      } finally {
        runs.close();
      }
    }
    if (command.opts<JsonFlag>().json) printLine(context.stdout, printableJson({ ...answer, asked }, 2));
    else printLine(answer.ok ? context.stdout : context.stderr, answer.message);
    if (!answer.ok) context.exitCode = exitCodes.failure;
  });
}

async function read(command: Command, context: CliContext): Promise<JournalBatches> {
  const { settings } = await settingsFor(command, context);
  const { readBatches } = await import('../../worker/batches/index.js');
  return readBatches(settings.dirs.state, systemClock);
}
