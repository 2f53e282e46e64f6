import { formatAge } from '../../base/text/duration.js';
import { cellWidth, truncate } from '../../base/text/cells.js';
import { oneLine } from '../../base/text/one-line.js';
import type { RunView } from '../views/handle.js';
import type { RunDetail } from '../views/live-views.js';
import { orphanSentence } from '../actions/orphans.js';
import { usageTexts } from '../views/usage-text.js';
import type { RunsView } from './runs-view.js';

/** How the table is printed. */
export interface TableStyle {
  colour: boolean;
  /** Without it, ASCII only. */
  unicode: boolean;
  /** Width in cells; null: unlimited. */
  columns: number | null;
}

interface RunColumn {
  title: string;
  /** Columns with a high number are dropped first where the terminal is narrow. */
  priority: number;
  cell(run: RunView): string;
}

/** Maximum width of all columns but the last. */
const maxWidth = 40;
/** The last column is never narrower than this: others are dropped. */
const minLast = 24;

/**
 * The table of `dsa-slurm runs list`, one line per run. On a terminal, lines fit its width.
 * @param all runs among which the short ids are unique
 */
export function renderRuns(
  runs: readonly RunView[],
  { now, all, style }: { now: number; all: readonly RunView[]; style: TableStyle },
): string {
  const idWidth = uniqueLength([...all, ...runs].map(({ id }) => id));
  const columns: readonly RunColumn[] = [
    { title: 'RUN', priority: 0, cell: ({ id }) => id.slice(0, idWidth) },
    { title: 'STATE', priority: 0, cell: stateWord },
    { title: 'SINCE', priority: 2, cell: ({ stageSince }) => formatAge(now - stageSince) },
    { title: 'JOB', priority: 1, cell: ({ jobId }) => jobId ?? '-' },
    { title: 'USER', priority: 4, cell: ({ user }) => user ?? '-' },
    { title: 'ANALYSIS', priority: 3, cell: ({ cli }) => (cli === '' ? '-' : cli) },
  ];
  const ellipsis = style.unicode ? '…' : '~';
  const cells = columns.map(({ title, cell }) =>
    [title, ...runs.map((run) => oneLine(cell(run)))].map((text) => truncate(text, maxWidth, ellipsis)),
  );
  const widths = cells.map((texts) => Math.max(...texts.map(cellWidth)));
  const shown = columnsThatFit(columns, widths, style.columns);
  const used = shown.reduce((sum, index) => sum + (widths[index] ?? 0) + 2, 0);
  const last = ['TITLE OR REASON', ...runs.map((run) => oneLine(titleOrReason(run)))];
  return last
    .map((text, row) => {
      const front = shown.map((index) => {
        const cell = cells[index]?.[row] ?? '';
        const padded = cell + ' '.repeat(Math.max(0, (widths[index] ?? 0) - cellWidth(cell)));
        const run = runs[row - 1];
        return columns[index]?.cell === stateWord && run !== undefined ? paint(padded, run, style) : padded;
      });
      const rest = style.columns === null ? text : truncate(text, style.columns - used, ellipsis);
      return `${[...front, rest].join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** Indexes of the columns that leave enough room for the last one. */
function columnsThatFit(
  columns: readonly RunColumn[],
  widths: readonly number[],
  width: number | null,
): number[] {
  const shown = columns.map((_, index) => index);
  const used = (): number => shown.reduce((sum, index) => sum + (widths[index] ?? 0) + 2, 0);
  const room = width ?? Number.POSITIVE_INFINITY;
  while (used() + minLast > room) {
    const worst = shown.reduce((a, b) => ((columns[b]?.priority ?? 0) > (columns[a]?.priority ?? 0) ? b : a));
    if ((columns[worst]?.priority ?? 0) === 0) break;
    shown.splice(shown.indexOf(worst), 1);
  }
  return shown;
}

/** The length at which all beginnings of ids differ, at least eight. */
function uniqueLength(ids: readonly string[]): number {
  const sorted = [...new Set(ids)].toSorted();
  let length = 8;
  for (const [index, id] of sorted.entries()) {
    const next = sorted[index + 1] ?? '';
    let same = 0;
    while (same < id.length && id[same] === next[same]) same += 1;
    length = Math.max(length, same + 1);
  }
  return length;
}

function titleOrReason({ outcome, reason, title }: RunView): string {
  return (outcome === 'failed' || outcome === null ? firstLine(reason) : null) ?? title ?? '-';
}

/** SGR colors of outcomes and stages. */
const colours = { succeeded: 32, failed: 31, canceled: 2, canceling: 33, running: 32, other: 36 } as const;

function paint(text: string, { stage, outcome, cancelRequested }: RunView, style: TableStyle): string {
  if (!style.colour) return text;
  const kind = outcome ?? (cancelRequested ? 'canceling' : stage === 'running' ? 'running' : 'other');
  return `\u001B[${colours[kind]}m${text}\u001B[0m`;
}

/** The lines below the table. */
export function renderSource(
  { source, worker, damagedLines, runs, orphans, orphansUnknown }: RunsView,
  shown: number,
): string {
  const all = shown === runs.length ? `${shown}` : `${shown} of ${runs.length}`;
  const workerText =
    worker === null
      ? 'no worker is running'
      : `the worker is process ${worker.pid} on ${worker.host}, since ${worker.since}`;
  const damage = damagedLines === 0 ? '' : ` ${damagedLines} lines of the journal cannot be read.`;
  const lost = orphans.length === 0 ? '' : `${orphanSentence(orphans.map(({ jobId }) => jobId))}\n`;
  const unknown =
    orphansUnknown === null ? '' : `Jobs that belong to no run cannot be listed: ${orphansUnknown}.\n`;
  return `${all} runs, from the ${source}; ${workerText}.${damage}\n${lost}${unknown}`;
}

/** Everything about one run, as `dsa-slurm runs show` prints it. */
export function renderRun(detail: RunDetail): string {
  const { run, task } = detail;
  const pairs: (readonly [string, string | readonly string[] | null])[] = [
    ['run', run.id],
    ['state', `${stateWord(run)} for ${formatAge(detail.at - run.stageSince)}`],
    ['reason', run.reason],
    ['canceled by', detail.canceledBy],
    ['retry of', detail.retryOf],
    ['retried as', detail.retriedAs],
    ['title', run.title],
    ['user', run.user],
    ['image', run.image],
    ['analysis', run.cli],
    ['Girder job', run.girderJobId === null ? null : `${run.girderJobId} ${detail.girderUrl ?? ''}`.trim()],
    ['job', run.jobId],
    ['job end', detail.end],
    ...usageTexts(detail.usage, detail.requested),
    ['progress', run.progress === null ? null : `${Math.round(run.progress * 100)} %`],
    ['task', task.name],
    ['queue', `${task.queue}${task.redelivered ? ', delivered again' : ''}`],
    ['not before', task.eta],
    ['expires', task.expires],
    ['inputs', files(detail.inputs)],
    ['outputs', files(detail.outputs)],
    ['uploaded', detail.outputs.length === 0 ? null : `${detail.outputsDone} outputs`],
    ['log', detail.logFile],
    ['sbatch', detail.sbatch === null ? null : detail.sbatch.join(' ')],
    ['container', detail.container === null ? null : detail.container.join(' ')],
    [
      'stages',
      detail.timeline.map(
        ({ stage, at, ms }) => `${new Date(at).toISOString()}  ${stage.padEnd(10)}  ${formatAge(ms)}`,
      ),
    ],
  ];
  const lines: string[] = [];
  for (const [name, value] of pairs) {
    const texts = (typeof value === 'string' ? value.split('\n') : (value ?? []))
      .map(oneLine)
      .filter(Boolean);
    for (const [index, text] of texts.entries()) lines.push(`${(index === 0 ? name : '').padEnd(14)}${text}`);
  }
  return `${lines.join('\n')}\n`;
}

function files(list: RunDetail['inputs']): string[] {
  return list.map(
    ({ kind, name, girderId }) => `${kind} ${name}${girderId === null ? '' : ` (${girderId})`}`,
  );
}

function stateWord({ stage, outcome, cancelRequested }: RunView): string {
  if (stage === 'finished') return outcome ?? stage;
  return cancelRequested ? `${stage}, canceling` : stage;
}

/** The other lines are in `dsa-slurm runs show`. */
function firstLine(text: string | null): string | null {
  return text?.split('\n', 1)[0] ?? null;
}
