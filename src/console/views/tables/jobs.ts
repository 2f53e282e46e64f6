import { formatAge } from '../../../base/text/duration.js';
import type { JobRow } from '../../../slurm/job.js';
import { formatDateTime } from '../format.js';
import { elapsedSeconds, type Row } from '../../state/rows.js';
import { listedJobs } from '../../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type CellContext, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { cleanText, fit, fitMiddle, truncate } from '../../terminal/text.js';
import { span, type Span, type Theme } from '../../terminal/theme.js';
import type { TableView } from './table-view.js';

export const jobsColumns: readonly Column<Row>[] = [
  {
    id: 'state',
    title: 'STATE',
    min: 12,
    comfortable: 12,
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
    { id: 'job', title: 'JOB', min: 7, comfortable: 9, priority: 2, sortKey: 'J' },
    (row) => row.job?.id ?? row.run?.jobId ?? null,
  ),
  textColumn(
    { id: 'run', title: 'RUN', min: 8, comfortable: 8, priority: 12 },
    ({ run }) => run?.id ?? null,
    {
      tone: 'muted',
      shownAs: (id) => String(id).slice(0, 8),
    },
  ),
  textColumn(
    {
      id: 'name',
      title: 'NAME',
      min: 8,
      comfortable: 20,
      grow: 1,
      priority: 6,
      fillPriority: 2,
      sortKey: 'N',
    },
    rowName,
  ),
  textColumn(
    { id: 'image', title: 'IMAGE', min: 16, comfortable: 24, grow: 1, priority: 10, sortKey: 'I' },
    ({ run }) => run?.image ?? null,
    { tone: 'muted' },
  ),
  {
    id: 'title',
    title: 'GIRDER TITLE',
    min: 16,
    comfortable: 29,
    grow: 3,
    priority: 3,
    // the name of the slide stays whole longest
    fillPriority: 1,
    align: 'left',
    sortKey: 'D',
    value: ({ run }) => run?.title ?? null,
    text: ({ run }) => cleanText(run?.title ?? ''),
    cell(row, width, { theme: { glyphs }, shown }) {
      const text = row.run === null ? insteadOfTitle(row.job, shown) : (row.run.title ?? '');
      return [span(fitMiddle(cleanText(text), width, glyphs.ellipsis), row.run === null ? 'muted' : 'plain')];
    },
  },
  textColumn(
    { id: 'user', title: 'USER', min: 8, comfortable: 11, grow: 1, priority: 8, sortKey: 'U' },
    (row) => (row.run === null ? row.job.user : row.run.user),
  ),
  textColumn(
    { id: 'partition', title: 'PARTITION', min: 9, comfortable: 10, priority: 11, sortKey: 'P' },
    ({ job }) => job?.partition ?? null,
    { tone: 'muted' },
  ),
  textColumn(
    {
      id: 'cpus',
      title: 'CPUS',
      min: 4,
      comfortable: 4,
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
      comfortable: 7,
      priority: 14,
      align: 'right',
      sortKey: 'M',
    },
    ({ job }) => job?.memory ?? null,
  ),
  textColumn(
    { id: 'gpus', title: 'GRES', min: 6, comfortable: 8, priority: 15 },
    ({ job }) => job?.gres ?? null,
  ),
  {
    id: 'elapsed',
    title: 'ELAPSED',
    min: 7,
    comfortable: 7,
    grow: 0,
    priority: 4,
    align: 'right',
    sortKey: 'E',
    value: (row, { age, now }) => elapsedSeconds(row, age, now),
    cell(row, width, { age, now, theme }) {
      const seconds = elapsedSeconds(row, age, now);
      const text = seconds === null ? '' : formatAge(seconds * 1_000);
      return [
        span(fit(text, width, 'right', theme.glyphs.ellipsis), row.group === 'running' ? 'plain' : 'muted'),
      ];
    },
  },
  textColumn(
    { id: 'limit', title: 'LIMIT', min: 7, comfortable: 7, priority: 9, align: 'right', sortKey: 'L' },
    ({ job }) => job?.timeLimit ?? null,
    { tone: 'muted', shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  ),
  textColumn(
    { id: 'starts', title: 'STARTS', min: 11, comfortable: 11, priority: 16 },
    ({ job }) => job?.expectedStart ?? null,
    { tone: 'muted', shownAs: (at) => shortDateTime(Number(at)) },
  ),
  {
    id: 'progress',
    title: 'PROGRESS',
    min: 8,
    comfortable: 16,
    grow: 0,
    priority: 7,
    align: 'left',
    value: ({ run }) => run?.progress ?? null,
    cell: (row, width, { theme }: CellContext) => progressBar(row, width, theme),
  },
  // the last column, next to the progress: the reason of a row that has ended extends over both
  textColumn(
    { id: 'nodes', title: 'NODES (REASON)', min: 10, comfortable: 14, grow: 2, priority: 5 },
    nodesOrReason,
    {
      tone: (row) => (rowStatus(row).tone === 'bad' ? 'bad' : 'plain'),
      takesRoomOf: ({ run, group }) =>
        group === 'finished' || run === null || run.progress === null ? 'progress' : null,
    },
  ),
];

/** What a job without a run shows in place of a title: what no other column on the screen says. */
function insteadOfTitle({ name, user }: JobRow, shown: ReadonlySet<string>): string {
  if (!shown.has('name')) return name;
  return shown.has('user') ? '' : `of ${user}`;
}

/** A finished row fades after this time. */
const fadeMs = 60_000;

export const squeezablePriority = 7;

export const jobsTable = defineTable<Row>({
  columns: jobsColumns,
  squeezablePriority: squeezablePriority,
  extraFields: { batch: ({ batch }) => batch ?? null },
  searchTexts: ({ run, job }) => [
    job?.name,
    job?.reason,
    ...(job?.state.flags ?? []),
    run?.stage,
    run?.outcome,
    run?.reason,
    run?.girderJobId,
  ],
  isError: (row) => rowStatus(row).tone === 'bad',
  isFaded: ({ run }, now) => run?.finishedAt !== null && run !== null && now - run.finishedAt > fadeMs,
  isStale: ({ group, job }, lost) => (lost ? group !== 'finished' : job !== null),
});

export const jobsView: TableView<Row> = {
  table: jobsTable,
  label: 'jobs',
  liveViews: [],
  age: listedJobs,
  emptyReason(state) {
    const jobs = listedJobs(state);
    const who = state.snapshot.executor === 'slurm' ? 'Slurm' : 'this host';
    if (jobs.at === null) {
      return `No runs yet. Jobs are unknown, because ${who} has not answered yet.`;
    }
    if (jobs.lostAt !== undefined) return 'No runs and no jobs when the worker last reported.';
    if (jobs.problem !== null) return `No runs, and no jobs when ${who} last answered.`;
    const none = { mine: 'no jobs of this user', dsa: 'no jobs from Girder', all: 'no jobs at all' };
    const arrived = state.snapshot.link.kind === 'none' ? 'the journal is empty' : 'no task has arrived';
    return `No runs and no jobs: ${arrived}, and ${who} has ${none[state.scope]}.`;
  },
  details(row) {
    const { run, job } = row;
    const title = run?.title ?? null;
    return [
      run === null ? `job ${job.id}, not started by this worker` : `run ${shortRunId(row)}`,
      title === null ? null : `"${title}"`,
      run?.stage === 'finished' ? null : run?.progressMessage,
      nodesOrReason(row),
      rowName(row),
      run === null ? job.user : run.user,
      job?.partition,
      run?.image,
    ];
  },
  openTarget: (item) => ({ kind: 'run', rowId: item.id }),
  copyText: ({ run, job }) => job?.id ?? run?.jobId ?? run?.id ?? '',
};

/** The CLI of a run, or the name of a job without a run. */
export function rowName({ run, job }: Row): string {
  return run === null ? job.name : run.cli || run.image;
}

export function shortRunId({ run }: Row): string {
  return run === null ? '' : run.id.slice(0, 8);
}

/** Like squeue's NODELIST(REASON): nodes or the reason for waiting; for a finished run, the reason for its outcome. */
export function nodesOrReason({ run, job }: Row): string {
  if (run?.stage === 'finished') return run.reason ?? job?.nodes ?? '';
  if (job !== null && job.nodes !== '') return job.nodes;
  const reason = job === null || job.reason === '' ? (run?.reason ?? '') : job.reason;
  return reason === '' ? '' : `(${reason})`;
}

/** Local time, without the year: `11-26 14:05`. */
function shortDateTime(at: number): string {
  return formatDateTime(at).slice(5, 16);
}

function progressBar({ run }: Row, width: number, { glyphs }: Theme): Span[] {
  if (run === null || run.progress === null || run.stage === 'finished') return [span(' '.repeat(width))];
  const share = Math.min(1, Math.max(0, run.progress));
  // rounded down, so that 100% means done
  const percent = `${Math.floor(share * 100)}%`.padStart(5);
  const room = Math.max(0, width - percent.length);
  const done = share === 1 ? room : Math.min(room - 1, Math.round(share * room));
  return [
    span(glyphs.barDone.repeat(done), 'good'),
    span(glyphs.barLeft.repeat(room - done), 'muted'),
    span(percent),
  ];
}

/** A short description for questions and messages: `run 3f2a NucleiDetection`. */
export function rowTitle(row: Row): string {
  const name = cleanText(rowName(row));
  return row.run === null
    ? `job ${cleanText(row.job.id)} ${truncate(name, 60)}`
    : `run ${cleanText(shortRunId(row))} ${truncate(name, 60)}`;
}
