import type { JobsView } from '../worker/handle.js';
import { slurmDuration } from './format.js';
import { elapsedSeconds, type Row } from './rows.js';
import { rowStatus } from './status.js';
import { cellWidth, cleanText, fit } from './text.js';
import { span, type Span, type Theme } from './theme.js';

export interface CellContext {
  jobs: JobsView;
  now: number;
  theme: Theme;
}

export interface Column {
  id: string;
  title: string;
  /** Cells below which it is dropped rather than squeezed. */
  min: number;
  /** Cells at which it says enough. */
  comfort: number;
  /** Share of the room that is left over. */
  grow: number;
  /** 1 goes last. Up to `squeezable`, columns are squeezed to their minimum before one is dropped. */
  priority: number;
  align: 'left' | 'right';
  /** Exactly `width` cells. */
  cell(row: Row, width: number, context: CellContext): Span[];
}

/** Priorities of the columns that a terminal of 80 columns shows. */
const squeezable = 7;

type TextOf = (row: Row) => string | null | undefined;

function textColumn(
  parts: Pick<Column, 'id' | 'title' | 'min' | 'comfort' | 'grow' | 'priority'>,
  text: TextOf,
  tone: Span['tone'] = 'plain',
): Column {
  return {
    ...parts,
    align: 'left',
    cell: (row, width, { theme }) => [
      span(fit(cleanText(text(row) ?? ''), width, 'left', theme.glyphs.ellipsis), tone),
    ],
  };
}

/** In the order of the table, from left to right. */
export const columns: readonly Column[] = [
  {
    id: 'state',
    title: 'STATE',
    min: 12,
    comfort: 12,
    grow: 0,
    priority: 1,
    align: 'left',
    cell(row, width, { theme: { glyphs } }) {
      const { glyph, word, tone } = rowStatus(row);
      return [span(fit(`${glyphs[glyph]} ${cleanText(word)}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'job', title: 'JOB', min: 7, comfort: 9, grow: 0, priority: 2 },
    (row) => row.job?.id ?? row.run?.jobId,
  ),
  textColumn(
    { id: 'run', title: 'RUN', min: 8, comfort: 8, grow: 0, priority: 11 },
    (row) => shortRunId(row),
    'muted',
  ),
  textColumn({ id: 'name', title: 'NAME', min: 12, comfort: 20, grow: 1, priority: 3 }, rowName),
  textColumn(
    { id: 'image', title: 'IMAGE', min: 16, comfort: 24, grow: 1, priority: 9 },
    (row) => row.run?.image,
    'muted',
  ),
  textColumn(
    { id: 'title', title: 'GIRDER TITLE', min: 12, comfort: 26, grow: 3, priority: 6 },
    (row) => row.run?.title,
  ),
  textColumn({ id: 'user', title: 'USER', min: 8, comfort: 10, grow: 0, priority: 8 }, (row) =>
    row.run === null ? row.job.user : row.run.user,
  ),
  textColumn(
    { id: 'partition', title: 'PARTITION', min: 9, comfort: 10, grow: 0, priority: 10 },
    (row) => row.job?.partition,
    'muted',
  ),
  textColumn(
    { id: 'nodes', title: 'NODES (REASON)', min: 11, comfort: 18, grow: 2, priority: 5 },
    nodesOrReason,
  ),
  {
    id: 'elapsed',
    title: 'ELAPSED',
    min: 7,
    comfort: 10,
    grow: 0,
    priority: 4,
    align: 'right',
    cell(row, width, { jobs, now, theme }) {
      const seconds = elapsedSeconds(row, jobs, now);
      return [
        span(
          fit(seconds === null ? '' : shortest(seconds, width), width, 'right', theme.glyphs.ellipsis),
          row.group === 'running' ? 'plain' : 'muted',
        ),
      ];
    },
  },
  {
    id: 'progress',
    title: 'PROGRESS',
    min: 10,
    comfort: 16,
    grow: 0,
    priority: squeezable,
    align: 'left',
    cell: (row, width, { theme }) => progressBar(row, width, theme),
  },
];

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

export interface PlacedColumn {
  column: Column;
  width: number;
}

export interface TableLayout {
  placed: readonly PlacedColumn[];
  /** Blank cells between two columns. */
  gap: number;
}

/**
 * Which columns a table of `width` cells shows, and how wide. It depends on the width alone, so nothing jumps while the
 * content changes. Columns come in by priority: the squeezable ones while their minimum fits, the others once everything
 * before them has its comfort.
 */
export function layoutColumns(width: number): TableLayout {
  const gap = width >= 110 ? 2 : 1;
  const byPriority = [...columns].sort((a, b) => a.priority - b.priority);
  const chosen: Column[] = [];
  for (const column of byPriority) {
    const next = [...chosen, column];
    const measure = column.priority <= squeezable ? 'min' : 'comfort';
    if (
      chosen.length > 0 &&
      total(
        next.map((one) => one[measure]),
        gap,
      ) > width
    )
      break;
    chosen.push(column);
  }
  const placed = columns
    .filter((one) => chosen.includes(one))
    .map((column) => ({ column, width: column.min }));
  let rest =
    width -
    total(
      placed.map((one) => one.width),
      gap,
    );
  // What is needed first: comfort by priority; then the rest is shared out.
  for (const { priority } of byPriority) {
    const one = placed.find(({ column }) => column.priority === priority);
    if (one === undefined || rest <= 0) continue;
    const more = Math.min(rest, one.column.comfort - one.width);
    one.width += more;
    rest -= more;
  }
  share(placed, Math.max(0, rest));
  return { placed, gap };
}

function total(widths: readonly number[], gap: number): number {
  return widths.reduce((sum, one) => sum + one, 0) + gap * (widths.length - 1);
}

function share(placed: { column: Column; width: number }[], rest: number): void {
  const weights = placed.reduce((sum, { column }) => sum + column.grow, 0);
  let left = rest;
  for (const one of placed) {
    if (one.column.grow === 0) continue;
    const part = Math.floor((rest * one.column.grow) / weights);
    one.width += part;
    left -= part;
  }
  // The cells that rounding has left over go to the widest share.
  const widest =
    placed.find(({ column }) => column.id === 'title') ?? placed.find(({ column }) => column.grow > 0);
  if (widest !== undefined) widest.width += left;
}

/** The heading of a column, in exactly its width. */
export function headingCell({ column, width }: PlacedColumn, theme: Theme): Span {
  const text = cellWidth(column.title) <= width ? column.title : column.title.split(' ')[0];
  return span(fit(text ?? '', width, column.align, theme.glyphs.ellipsis), 'muted');
}
