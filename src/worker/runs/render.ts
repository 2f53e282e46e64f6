import { oneLine } from '../../base/one-line.js';
import type { RunView } from '../views/handle.js';
import type { RunDetail } from '../views/live-views.js';
import { orphanSentence } from '../actions/orphans.js';
import { duration } from '../views/duration.js';
import { usageTexts } from '../views/usage-text.js';
import type { RunsView } from './runs-view.js';

/** Maximum width of all columns but the last. */
const maxWidth = 40;

/** The table of `dsa-slurm runs list`, one line per run. Only very long cells are truncated. */
export function renderRuns(runs: readonly RunView[], now: number): string {
  const head = ['RUN', 'STATE', 'SINCE', 'JOB', 'USER', 'ANALYSIS', 'TITLE OR REASON'];
  const rows = runs.map((run) => [
    run.id,
    stateWord(run),
    duration(now - run.stageSince),
    run.jobId ?? '-',
    run.user ?? '-',
    run.cli === '' ? '-' : run.cli,
    (run.outcome === 'failed' || run.outcome === null ? firstLine(run.reason) : null) ?? run.title ?? '-',
  ]);
  const cells = [head, ...rows].map((row) => row.map(oneLine));
  const widths = head.map((_, column) =>
    Math.min(maxWidth, Math.max(...cells.map((row) => (row[column] ?? '').length))),
  );
  const last = head.length - 1;
  return cells
    .map((row) =>
      row.map((cell, column) => (column === last ? cell : cut(cell).padEnd(widths[column] ?? 0))).join('  '),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** The lines below the table. */
export function renderSource(
  { source, worker, damagedLines, runs, orphans }: RunsView,
  shown: number,
): string {
  const all = shown === runs.length ? `${shown}` : `${shown} of ${runs.length}`;
  const workerText =
    worker === null
      ? 'no worker is running'
      : `the worker is process ${worker.pid} on ${worker.host}, since ${worker.since}`;
  const damage = damagedLines === 0 ? '' : ` ${damagedLines} lines of the journal cannot be read.`;
  const lost = orphans.length === 0 ? '' : `${orphanSentence(orphans.map(({ jobId }) => jobId))}\n`;
  return `${all} runs, from the ${source}; ${workerText}.${damage}\n${lost}`;
}

/** Everything about one run, as `dsa-slurm runs show` prints it. */
export function renderRun(detail: RunDetail): string {
  const { run, task } = detail;
  const pairs: (readonly [string, string | readonly string[] | null])[] = [
    ['run', run.id],
    ['state', `${stateWord(run)} for ${duration(detail.at - run.stageSince)}`],
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
        ({ stage, at, ms }) => `${new Date(at).toISOString()}  ${stage.padEnd(10)}  ${duration(ms)}`,
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

function cut(text: string): string {
  return text.length > maxWidth ? `${text.slice(0, maxWidth - 1)}…` : text;
}
