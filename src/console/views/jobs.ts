import { clockText, slurmDuration } from './format.js';
import { elapsedSeconds, type Row } from '../state/rows.js';
import { jobsShown } from '../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type CellContext, type Column } from '../table/column.js';
import { defineTable } from '../table/table.js';
import { cleanText, fit, fitMiddle, truncate } from '../terminal/text.js';
import { span, type Span, type Theme } from '../terminal/theme.js';
import type { TableView } from './table-view.js';

/** Runs and jobs in one table: a run with the job that it has, or a job that belongs to no run here. */
export const jobsColumns: readonly Column<Row>[] = [
  {
    id: 'state',
    title: 'STATE',
    min: 12,
    comfort: 12,
    grow: 0,
    priority: 1,
    align: 'left',
    sortKey: 'A',
    value: (row) => rowStatus(row).word.toLowerCase(),
    cell(row, width, { theme: { glyphs } }) {
      const { glyph, word, tone } = rowStatus(row);
      return [span(fit(`${glyphs[glyph]} ${cleanText(word)}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'job', title: 'JOB', min: 7, comfort: 9, priority: 2, sortKey: 'J' },
    (row) => row.job?.id ?? row.run?.jobId ?? null,
  ),
  textColumn({ id: 'run', title: 'RUN', min: 8, comfort: 8, priority: 12 }, ({ run }) => run?.id ?? null, {
    tone: 'muted',
    shownAs: (id) => String(id).slice(0, 8),
  }),
  textColumn(
    { id: 'name', title: 'NAME', min: 11, comfort: 20, grow: 1, priority: 3, sortKey: 'N' },
    rowName,
  ),
  textColumn(
    { id: 'image', title: 'IMAGE', min: 16, comfort: 24, grow: 1, priority: 10, sortKey: 'I' },
    ({ run }) => run?.image ?? null,
    { tone: 'muted' },
  ),
  {
    id: 'title',
    title: 'GIRDER TITLE',
    min: 16,
    comfort: 29,
    grow: 3,
    priority: 6,
    align: 'left',
    sortKey: 'T',
    value: ({ run }) => run?.title ?? null,
    cell({ run, job }, width, { theme: { glyphs } }) {
      // a job that is no run has no title; whose it is has no column of its own on a narrow terminal
      const [text, tone] =
        run === null ? [`of ${job.user}`, 'muted' as const] : [run.title ?? '', 'plain' as const];
      return [span(fitMiddle(cleanText(text), width, glyphs.ellipsis), tone)];
    },
  },
  textColumn({ id: 'user', title: 'USER', min: 8, comfort: 11, grow: 1, priority: 8, sortKey: 'U' }, (row) =>
    row.run === null ? row.job.user : row.run.user,
  ),
  textColumn(
    { id: 'partition', title: 'PARTITION', min: 9, comfort: 10, priority: 11, sortKey: 'P' },
    ({ job }) => job?.partition ?? null,
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'nodes', title: 'NODES (REASON)', min: 10, comfort: 14, grow: 2, priority: 5 },
    nodesOrReason,
  ),
  textColumn(
    {
      id: 'cpus',
      title: 'CPUS',
      min: 4,
      comfort: 4,
      priority: 13,
      align: 'right',
      sortKey: 'C',
    },
    ({ job }) => job?.cpus ?? null,
  ),
  textColumn(
    {
      id: 'memory',
      title: 'MEMORY',
      min: 6,
      comfort: 7,
      priority: 14,
      align: 'right',
      sortKey: 'M',
    },
    ({ job }) => job?.memory ?? null,
  ),
  textColumn({ id: 'gpus', title: 'GRES', min: 6, comfort: 8, priority: 15 }, ({ job }) => job?.gres ?? null),
  {
    id: 'elapsed',
    title: 'ELAPSED',
    min: 7,
    comfort: 10,
    grow: 0,
    priority: 4,
    align: 'right',
    sortKey: 'E',
    value: (row, { age, now }) => elapsedSeconds(row, age, now),
    cell(row, width, { age, now, theme }) {
      const seconds = elapsedSeconds(row, age, now);
      const text = seconds === null ? '' : shortest(seconds, width);
      return [
        span(fit(text, width, 'right', theme.glyphs.ellipsis), row.group === 'running' ? 'plain' : 'muted'),
      ];
    },
  },
  textColumn(
    { id: 'limit', title: 'LIMIT', min: 7, comfort: 10, priority: 9, align: 'right', sortKey: 'L' },
    ({ job }) => job?.timeLimit ?? null,
    { tone: 'muted', shownAs: (seconds) => slurmDuration(Number(seconds)) },
  ),
  textColumn(
    { id: 'starts', title: 'STARTS', min: 11, comfort: 11, priority: 16 },
    ({ job }) => job?.expectedStart ?? null,
    { tone: 'muted', shownAs: (at) => clockTime(Number(at)) },
  ),
  {
    id: 'progress',
    title: 'PROGRESS',
    min: 8,
    comfort: 16,
    grow: 0,
    priority: 7,
    align: 'left',
    value: ({ run }) => run?.progress ?? null,
    cell: (row, width, { theme }: CellContext) => progressBar(row, width, theme),
  },
];

/** Columns up to this priority are squeezed before one is dropped: those that a terminal of 80 columns shows. */
export const squeezable = 7;

export const jobsTable = defineTable<Row>({
  columns: jobsColumns,
  squeezable,
  texts: ({ run, job }) => [
    job?.name,
    job?.reason,
    ...(job?.state.flags ?? []),
    run?.stage,
    run?.outcome,
    run?.reason,
    run?.girderJobId,
  ],
  isError: (row) => rowStatus(row).tone === 'bad',
  isStale: ({ job }) => job !== null,
});

export const jobsView: TableView = {
  table: jobsTable,
  noun: 'jobs',
  needs: [],
  age: jobsShown,
  nothing(state) {
    const jobs = jobsShown(state);
    const who = state.snapshot.executor === 'slurm' ? 'Slurm' : 'this host';
    if (jobs.at === null) {
      return `No runs yet. What jobs there are is not known: ${who} has not answered so far.`;
    }
    if (jobs.trouble !== null) return `No runs, and no jobs when ${who} last answered.`;
    const none = { mine: 'no job of this user', dsa: 'no job that came from Girder', all: 'no job at all' };
    const arrived = state.snapshot.link.kind === 'none' ? 'the journal has none' : 'no task has arrived';
    return `No runs and no jobs: ${arrived}, and ${who} has ${none[state.scope]}.`;
  },
  about(item) {
    const row = item as Row;
    const { run, job } = row;
    const title = run?.title ?? null;
    return [
      run === null ? `job ${job.id} is not of this worker` : `run ${shortRunId(row)}`,
      rowName(row),
      run?.image,
      title === null ? null : `"${title}"`,
      run === null ? job.user : run.user,
      job?.partition,
      run?.stage === 'finished' ? null : run?.progressMessage,
      nodesOrReason(row),
    ];
  },
  opens: (item) => ({ kind: 'run', rowId: item.id }),
  copies(item) {
    const { run, job } = item as Row;
    return job?.id ?? run?.jobId ?? run?.id ?? '';
  },
};

/** The CLI of a run, the name of a job that is not ours. */
export function rowName({ run, job }: Row): string {
  return run === null ? job.name : run.cli || run.image;
}

export function shortRunId({ run }: Row): string {
  return run === null ? '' : run.id.slice(0, 8);
}

/** As squeue's NODELIST(REASON): the nodes of a job that has some, otherwise why it has none; of a finished run, why it ended so. */
export function nodesOrReason({ run, job }: Row): string {
  if (run?.stage === 'finished') return run.reason ?? job?.nodes ?? '';
  if (job !== null && job.nodes !== '') return job.nodes;
  const reason = job === null || job.reason === '' ? (run?.reason ?? '') : job.reason;
  return reason === '' ? '' : `(${reason})`;
}

/** Days and hours where the whole does not fit. */
function shortest(seconds: number, width: number): string {
  const whole = slurmDuration(seconds);
  if (whole.length <= width) return whole;
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3_600)}h`;
}

/** Local time, without the year: `11-26 14:05`. */
function clockTime(at: number): string {
  return clockText(at).slice(5, 16);
}

function progressBar({ run }: Row, width: number, { glyphs }: Theme): Span[] {
  if (run === null || run.progress === null || run.stage === 'finished') return [span(' '.repeat(width))];
  const share = Math.min(1, Math.max(0, run.progress));
  // Rounded down: 100 % is only said of what is done.
  const percent = `${Math.floor(share * 100)}%`.padStart(5);
  const room = Math.max(0, width - percent.length);
  const done = share === 1 ? room : Math.min(room - 1, Math.round(share * room));
  return [
    span(glyphs.barDone.repeat(done), 'good'),
    span(glyphs.barLeft.repeat(room - done), 'muted'),
    span(percent),
  ];
}

/** A row in one sentence, for questions and answers. */
export function rowTitle(row: Row): string {
  const name = cleanText(rowName(row));
  return row.run === null
    ? `job ${cleanText(row.job.id)} ${truncate(name, 60)}`
    : `run ${cleanText(shortRunId(row))} ${truncate(name, 60)}`;
}
