import { InvalidArgumentError, type Command } from 'commander';

import { systemClock } from '../../base/clock.js';
import { printableJson } from '../../base/text/printable-json.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

/** Below this, a percentile is a guess. */
const minRuns = 20;

export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Propose slurm.rules per image and CLI from what runs used: the 95th percentile and a margin, with the evidence. Nothing is ' +
        'changed. The usage of runs is recorded by the batch script; a run that ran out of memory or time counts as one that ' +
        'needs half as much again.',
    )
    .option('--min-runs <n>', 'propose nothing for an analysis with fewer runs', wholeNumber, minRuns)
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm advise', 'rules to look at, with their evidence'],
    ['dsa-slurm advise --json | jq -c .rules', 'all rules in one line, for dsa-slurm config set slurm.rules'],
  ]);
  command.addHelpText(
    'after',
    `\nExit code: 0 if rules are proposed, ${exitCodes.failure} if there is not enough evidence for any.`,
  );
  command.action(async () => {
    const { settings } = await settingsFor(command, context);
    const { adviseResources, readBatches, renderAdvice } = await import('../../worker/batches/index.js');
    const { runs } = await readBatches(settings.dirs.state, systemClock);
    const flags = command.opts<{ minRuns: number; json: boolean }>();
    const { rules } = settings.slurm;
    const advice = adviseResources(runs.values(), { rules, minRuns: flags.minRuns });
    const proposed = advice.flatMap(({ rule }) => rule ?? []);
    if (flags.json) printLine(context.stdout, printableJson({ rules: [...proposed, ...rules], advice }, 2));
    else context.stdout.write(renderAdvice(advice, rules));
    if (proposed.length > 0) {
      if (!flags.json)
        printLine(
          context.stderr,
          'To use them: dsa-slurm config set slurm.rules "$(dsa-slurm advise --json | jq -c .rules)"',
        );
      return;
    }
    context.exitCode = exitCodes.failure;
    if (advice.length === 0) printLine(context.stderr, 'No run has a known usage yet.');
  });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return Number(text);
}
