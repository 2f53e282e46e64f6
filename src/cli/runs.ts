import { InvalidArgumentError, Option, type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { printableJson } from '../base/printable-json.js';
import { DsaSlurmError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import type { CommandAnswer } from '../worker/views/handle.js';
import type { RunFilter, Runs, RunsAction, RunsView } from '../worker/runs/index.js';
import { outcomes, stages } from '../worker/runs/select.js';
import { addExamples, printLine, type CliContext } from './context.js';
import { exitCodes } from './exit.js';
import { addSetFlag, settingsFor } from './settings-flags.js';

const endings = [
  '',
  `Ends with 0 if it is done, ${exitCodes.failure} if it was refused or failed, ${exitCodes.usage} for wrong arguments,`,
  `${exitCodes.unknown} if there is no such run, ${exitCodes.busy} if a worker that cannot be reached has the state directory.`,
].join('\n');

export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm runs list --outcome failed --since 24h', 'what went wrong since yesterday'],
    ['dsa-slurm runs show 1f0c27', 'everything about one run'],
    ['dsa-slurm runs cancel 1f0c27', 'end it and its job'],
    ['dsa-slurm runs adopt 4711', 'take up a Slurm job that lost its run with a damaged journal'],
    ['dsa-slurm runs retry --outcome failed --since 24h', 'run them again'],
  ]);
  defineList(command.command('list'), context);
  defineShow(command.command('show'), context);
  defineAction(command.command('cancel'), context, {
    does:
      'End runs and their jobs; Girder shows them as canceled. A Slurm job of this worker that belongs to no run is\n' +
      'named by its number: Girder is told if its message is found in a damaged journal that was set aside.',
    takesOrphans: true,
    isFit: ({ outcome }) => outcome === null,
    examples: [
      ['dsa-slurm runs cancel 1f0c27 9d41aa', 'two runs, each by the beginning of its id'],
      ['dsa-slurm runs cancel --stage queued --user ada', 'whatever of ada’s waits in the queue'],
    ],
  });
  defineAdopt(command.command('adopt'), context);
  defineAction(command.command('retry'), context, {
    does:
      'Run failed or canceled runs again: each as one new run with a Girder job of its own, for as long as its\n' +
      'message is kept (worker.retryHours) and Girder takes its tokens.',
    isFit: ({ outcome, stage }) => stage === 'finished' && outcome !== 'succeeded',
    examples: [
      ['dsa-slurm runs retry 1f0c27', 'one run'],
      ['dsa-slurm runs retry --outcome failed --since 2026-11-23', 'all that have failed since that day'],
    ],
  });
  defineAction(command.command('forget'), context, {
    does: 'Take finished runs out of history and journal. Girder and Slurm keep what they know of them.',
    isFit: ({ stage }) => stage === 'finished',
    examples: [
      ['dsa-slurm runs forget 1f0c27', 'one run'],
      ['dsa-slurm runs forget --outcome succeeded', 'all that went well'],
    ],
  });
}

interface FilterFlags {
  stage?: RunFilter['stage'];
  outcome?: RunFilter['outcome'];
  user?: string[];
  image?: string;
  since?: string;
  limit?: number;
}

function addFilters(command: Command): void {
  command
    .addOption(
      new Option('--stage <stage>', 'in this stage; may be given several times').argParser(oneOf(stages)),
    )
    .addOption(
      new Option('--outcome <outcome>', 'that ended so; may be given several times').argParser(
        oneOf(outcomes),
      ),
    )
    .option('--user <login>', 'of this user of Girder; may be given several times', append)
    .option('--image <name>', 'of this image, or of those whose names begin so')
    .option('--since <when>', 'that arrived since then: 90m, 24h, 7d, or a date such as 2026-11-23')
    .option('--limit <n>', 'at most so many, the newest', wholeNumber);
}

async function filterOf(command: Command): Promise<RunFilter> {
  const { readSince } = await import('../worker/runs/index.js');
  const { stage, outcome, user, image, since: text, limit } = command.opts<FilterFlags>();
  const since = text === undefined ? undefined : readSince(text, Date.now());
  if (since === null) {
    throw new DsaSlurmError('usage', `--since ${text} is no time.`, {
      next: 'Give 90m, 24h or 7d for so long ago, or a date and time such as 2026-11-23T08:00.',
    });
  }
  return {
    ...(stage === undefined ? {} : { stage }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(user === undefined ? {} : { user }),
    ...(image === undefined ? {} : { image }),
    ...(since === undefined ? {} : { since }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function defineList(command: Command, context: CliContext): void {
  command
    .description('List runs, the newest first: those under way and those that are remembered.')
    .option('--json', 'for a script', false);
  addFilters(command);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm runs list', 'all'],
    ['dsa-slurm runs list --stage queued --stage running', 'what waits and what runs'],
    ["dsa-slurm runs list --outcome failed --json | jq -r '.runs[].id'", 'for a script'],
  ]);
  command.addHelpText('after', endings);
  command.action(async () => {
    const filter = await filterOf(command);
    await withRuns(command, context, async ({ view: look }) => {
      const view = await look();
      const { renderRuns, renderSource, selectRuns } = await import('../worker/runs/index.js');
      const runs = selectRuns(view.runs, filter);
      if (command.opts<{ json: boolean }>().json) {
        const { source, worker, damagedLines, orphans } = view;
        printLine(context.stdout, printableJson({ source, worker, damagedLines, orphans, runs }, 2));
        return;
      }
      if (runs.length > 0) context.stdout.write(renderRuns(runs, Date.now()));
      context.stderr.write(renderSource(view, runs.length));
    });
  });
}

function defineShow(command: Command, context: CliContext): void {
  command
    .description('Print everything about one run.')
    .argument('<run>', 'its id or the beginning of it, its Girder job, or the number of its job')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm runs show 1f0c27', 'stages, inputs, command lines, and how it ended'],
    ['dsa-slurm runs show 4711 --json', 'the run of job 4711, for a script'],
  ]);
  command.addHelpText('after', endings);
  command.action(async (word: string) => {
    await withRuns(command, context, async (runs) => {
      const view = await runs.view();
      const { findRun, renderRun } = await import('../worker/runs/index.js');
      const found = findRun(view.runs, word);
      const detail = found === null ? null : await view.detail(found.id);
      if (detail === null) throw unknownRun(word);
      const { json } = command.opts<{ json: boolean }>();
      context.stdout.write(json ? `${printableJson(detail, 2)}\n` : renderRun(detail));
    });
  });
}

interface ActionWords {
  does: string;
  /** Which of the runs that a filter lets through are meant. */
  isFit: (run: RunsView['runs'][number]) => boolean;
  /** It can be about Slurm jobs that belong to no run, too. */
  takesOrphans?: boolean;
  examples: readonly (readonly [string, string])[];
}

function defineAction(
  command: Command,
  context: CliContext,
  { does, isFit, takesOrphans = false, examples }: ActionWords,
): void {
  command
    .description(does)
    .argument('[run...]', 'ids or their beginnings, Girder jobs, or numbers of jobs')
    .option('--json', 'for a script', false);
  addFilters(command);
  addSetFlag(command);
  addExamples(command, examples);
  command.addHelpText('after', endings);
  command.action(async (words: string[]) => {
    const filter = await filterOf(command);
    const isFiltered = Object.keys(filter).length > 0;
    if (isFiltered === words.length > 0) {
      throw new DsaSlurmError(
        'usage',
        'Name runs, or say which ones by --stage, --outcome, --user, --image or --since.',
        {
          next: `See: dsa-slurm runs ${command.name()} --help`,
        },
      );
    }
    await withRuns(command, context, async (runs) => {
      const view = await runs.view();
      const { findRun, selectRuns } = await import('../worker/runs/index.js');
      const targets: { runs: string[]; jobs: string[] } = { runs: [], jobs: [] };
      if (isFiltered) targets.runs = selectRuns(view.runs.filter(isFit), filter).map(({ id }) => id);
      for (const word of words) {
        const orphan = takesOrphans ? view.orphans.find(({ jobId }) => jobId === word) : undefined;
        const found = orphan === undefined ? findRun(view.runs, word) : null;
        if (orphan !== undefined) targets.jobs.push(orphan.jobId);
        else if (found === null) throw unknownRun(word);
        else targets.runs.push(found.id);
      }
      const isNothing = targets.runs.length + targets.jobs.length === 0;
      const answer = isNothing
        ? { ok: true, said: 'No run is meant.' }
        : await runs.act(command.name() as RunsAction, targets);
      printAnswer(command, context, answer, [...targets.runs, ...targets.jobs]);
    });
  });
}

function defineAdopt(command: Command, context: CliContext): void {
  command
    .description(
      'Take up Slurm jobs that belong to no run, because a damaged journal lost it. The message of the task is read\n' +
        'from the copy of that journal; from then on the run is followed, and its outputs reach Girder. A job whose\n' +
        'message is not found there can only be canceled. Needs a running worker.',
    )
    .argument('<job...>', 'numbers of Slurm jobs, as the health line, doctor and runs list name them')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm runs adopt 4711 4712', 'follow two jobs again'],
    ['dsa-slurm runs cancel 4711', 'end such a job instead'],
    ["dsa-slurm runs list --json | jq -r '.orphans[].jobId'", 'which jobs belong to no run'],
  ]);
  command.addHelpText('after', endings);
  command.action(async (jobs: string[]) => {
    await withRuns(command, context, async (runs) => {
      printAnswer(command, context, await runs.act('adopt', { runs: [], jobs }), jobs);
    });
  });
}

function printAnswer(
  command: Command,
  context: CliContext,
  answer: CommandAnswer,
  asked: readonly string[],
): void {
  if (command.opts<{ json: boolean }>().json)
    printLine(context.stdout, printableJson({ ...answer, asked }, 2));
  else printLine(answer.ok ? context.stdout : context.stderr, answer.said);
  if (!answer.ok) context.exitCode = exitCodes.failure;
}

/** Does something with the runs of the profile, and lets go of their worker. */
async function withRuns(
  command: Command,
  context: CliContext,
  work: (runs: Runs) => Promise<void>,
): Promise<void> {
  const { settings } = await settingsFor(command, context);
  const { openRuns } = await import('../worker/runs/index.js');
  const runs = await openRuns({ settings, env: context.env, clock: systemClock, log: silentLog() });
  try {
    await work(runs);
  } finally {
    runs.close();
  }
}

function unknownRun(word: string): DsaSlurmError {
  return new DsaSlurmError('unknown', `There is no run ${word}.`, { next: 'See: dsa-slurm runs list' });
}

function oneOf<T extends string>(allowed: readonly T[]) {
  return (value: string, before: T[] | undefined): T[] => {
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${allowed.join(', ')}.`);
    return [...(before ?? []), found];
  };
}

function append(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return Number(text);
}
