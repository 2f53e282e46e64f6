import { InvalidArgumentError, Option, type Command } from 'commander';
import { systemClock } from '../../base/clock.js';
import { isJobId } from '../../slurm/commands/values.js';
import { printableJson } from '../../base/text/printable-json.js';
import { DsaSlurmError } from '../../base/errors.js';
import { silentLog } from '../../base/log.js';
import type { CommandAnswer } from '../../worker/views/handle.js';
import type { RunFilter, Runs, RunsAction, RunsView } from '../../worker/runs/index.js';
import { outcomes, stages } from '../../worker/run-state/run.js';
import { addExamples, collect, outputStyle, printLine, type CliContext } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

const endings = [
  '',
  `Exit code: 0 on success, ${exitCodes.failure} if rejected or failed, ${exitCodes.usage} for invalid arguments, ${exitCodes.unknown} if the run`,
  `does not exist, ${exitCodes.busy} if the worker that owns the state directory cannot be reached.`,
].join('\n');

export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm runs list --outcome failed --since 24h', 'failures of the last day'],
    ['dsa-slurm runs show 1f0c27', 'everything about one run'],
    ['dsa-slurm runs cancel 1f0c27', 'cancel a run and its job'],
    ['dsa-slurm runs adopt 4711', 'adopt a Slurm job whose run was lost with a damaged journal'],
    ['dsa-slurm runs retry --outcome failed --since 24h', 'retry failed runs'],
  ]);
  defineList(command.command('list'), context);
  defineShow(command.command('show'), context);
  defineAction(command.command('cancel'), context, {
    does:
      'Cancel runs and their jobs; Girder shows them as canceled. A Slurm job of this worker without a run is given by ' +
      'its number; Girder is notified if its message is found in a copy of a damaged journal.',
    takesOrphans: true,
    isFit: ({ outcome }) => outcome === null,
    examples: [
      ['dsa-slurm runs cancel 1f0c27 9d41aa', 'two runs, by the beginning of their ids'],
      ['dsa-slurm runs cancel --stage queued --user ada', 'all queued runs of ada'],
    ],
  });
  defineAdopt(command.command('adopt'), context);
  defineAction(command.command('retry'), context, {
    does:
      'Retry failed or canceled runs, each as a new run with its own Girder job. Possible while the message is kept ' +
      '(worker.retryHours) and Girder accepts its tokens.',
    isFit: ({ outcome, stage }) => stage === 'finished' && outcome !== 'succeeded',
    examples: [
      ['dsa-slurm runs retry 1f0c27', 'one run'],
      ['dsa-slurm runs retry --outcome failed --since 2026-11-23', 'all failures since that day'],
    ],
  });
  defineAction(command.command('forget'), context, {
    does: 'Remove finished runs from the history and the journal. Records in Girder and Slurm are kept.',
    isFit: ({ stage }) => stage === 'finished',
    examples: [
      ['dsa-slurm runs forget 1f0c27', 'one run'],
      ['dsa-slurm runs forget --outcome succeeded', 'all successful runs'],
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
    .addOption(new Option('--stage <stage>', 'in this stage; may be repeated').argParser(oneOf(stages)))
    .addOption(
      new Option('--outcome <outcome>', 'with this outcome; may be repeated').argParser(oneOf(outcomes)),
    )
    .option('--user <login>', 'of this Girder user; may be repeated', collect)
    .option('--image <name>', 'of images whose name begins with this')
    .option('--since <when>', 'received since then: 90m, 24h, 7d, or a date such as 2026-11-23')
    .option('--limit <n>', 'at most this many, newest first', wholeNumber);
}

async function filterOf(command: Command): Promise<RunFilter> {
  const { readSince } = await import('../../worker/runs/index.js');
  const { stage, outcome, user, image, since: text, limit } = command.opts<FilterFlags>();
  const since = text === undefined ? undefined : readSince(text, Date.now());
  if (since === null) {
    throw new DsaSlurmError('usage', `Invalid --since value "${text}".`, {
      next: 'Use a duration such as 90m, 24h or 7d, or a date and time such as 2026-11-23T08:00.',
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
    .description('List unfinished runs and the history, newest first.')
    .option('--json', 'for a script', false);
  addFilters(command);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm runs list', 'all'],
    ['dsa-slurm runs list --stage queued --stage running', 'waiting and running jobs'],
    ["dsa-slurm runs list --outcome failed --json | jq -r '.runs[].id'", 'for a script'],
  ]);
  command.addHelpText('after', endings);
  command.action(async () => {
    const filter = await filterOf(command);
    await withRuns(command, context, async ({ view: look }) => {
      const view = await look({ asksSlurm: true });
      const { renderRuns, renderSource, selectRuns } = await import('../../worker/runs/index.js');
      const runs = selectRuns(view.runs, filter);
      if (command.opts<{ json: boolean }>().json) {
        const { source, worker, damagedLines, orphans, orphansUnknown } = view;
        const all = { source, worker, damagedLines, orphans, orphansUnknown, runs };
        printLine(context.stdout, printableJson(all, 2));
        return;
      }
      if (runs.length > 0) {
        const style = outputStyle(context);
        context.stdout.write(renderRuns(runs, { now: Date.now(), all: view.runs, style }));
      }
      context.stderr.write(renderSource(view, runs.length));
    });
  });
}

function defineShow(command: Command, context: CliContext): void {
  command
    .description('Print everything about one run.')
    .argument('<run>', 'beginning of its id, id of its Girder job, or Slurm job id')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm runs show 1f0c27', 'stages, inputs, command lines and outcome'],
    ['dsa-slurm runs show 4711 --json', 'the run of job 4711, for a script'],
  ]);
  command.addHelpText('after', endings);
  command.action(async (word: string) => {
    await withRuns(command, context, async (runs) => {
      const view = await runs.view();
      const { findRun, renderRun } = await import('../../worker/runs/index.js');
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
  /** Which of the filtered runs the action applies to. */
  isFit: (run: RunsView['runs'][number]) => boolean;
  /** Whether it also applies to Slurm jobs without a run. */
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
    .argument('[run...]', 'beginnings of ids, ids of Girder jobs, or Slurm job ids')
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
        'Name runs, or select them with --stage, --outcome, --user, --image or --since.',
        {
          next: `See: dsa-slurm runs ${command.name()} --help`,
        },
      );
    }
    await withRuns(command, context, async (runs) => {
      const view = await runs.view();
      const { findRun, selectRuns } = await import('../../worker/runs/index.js');
      const targets: { runs: string[]; jobs: string[] } = { runs: [], jobs: [] };
      if (isFiltered) targets.runs = selectRuns(view.runs.filter(isFit), filter).map(({ id }) => id);
      for (const word of words) {
        const orphan = takesOrphans ? view.orphans.find(({ jobId }) => jobId === word) : undefined;
        const found = orphan === undefined ? findRun(view.runs, word) : null;
        if (orphan !== undefined) targets.jobs.push(orphan.jobId);
        else if (found !== null) targets.runs.push(found.id);
        // without a worker, Slurm is asked for orphans only now
        else if (takesOrphans && view.source === 'journal' && isJobId(word)) targets.jobs.push(word);
        else throw unknownRun(word);
      }
      const isNothing = targets.runs.length + targets.jobs.length === 0;
      const answer = isNothing
        ? { ok: true, message: 'No run matches.' }
        : await runs.act(command.name() as RunsAction, targets);
      printAnswer(command, context, answer, [...targets.runs, ...targets.jobs]);
    });
  });
}

function defineAdopt(command: Command, context: CliContext): void {
  command
    .description(
      'Adopt Slurm jobs whose runs were lost with a damaged journal. The message of the task is read from the copy of ' +
        'that journal; the run then continues, and its outputs are uploaded to Girder. A job whose message is not found ' +
        'can only be canceled. Without a worker, the next one follows the job.',
    )
    .argument('<job...>', 'Slurm job ids, as in the health line, doctor and runs list')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm runs adopt 4711 4712', 'adopt two jobs'],
    ['dsa-slurm runs cancel 4711', 'cancel such a job instead'],
    ["dsa-slurm runs list --json | jq -r '.orphans[].jobId'", 'list jobs without a run'],
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
  else printLine(answer.ok ? context.stdout : context.stderr, answer.message);
  if (!answer.ok) context.exitCode = exitCodes.failure;
}

/** Opens the runs of the profile for `work`, and closes the connection to the worker. */
async function withRuns(
  command: Command,
  context: CliContext,
  work: (runs: Runs) => Promise<void>,
): Promise<void> {
  const { settings } = await settingsFor(command, context);
  const { openRuns } = await import('../../worker/runs/index.js');
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

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return Number(text);
}
