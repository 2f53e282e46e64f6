import { formatAge } from '../../../base/text/duration.js';
import { formatMemory } from '../../../slurm/requested.js';
import { endText, memoryText, rateText, timeText } from '../../../worker/batches/render.js';
import type { Batch } from '../../../worker/batches/summary.js';
import type { ConsoleState } from '../../state/state.js';
import type { BatchItem } from '../../state/table-rows.js';
import { textColumn, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { cleanText, fit, wrapWords } from '../../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../../terminal/theme.js';
import { formatCount, formatDateTime } from '../format.js';
import { factLines, type Fact } from '../pages/facts.js';
import type { TableView } from './table-view.js';

const columns: readonly Column<BatchItem>[] = [
  textColumn(
    { id: 'title', title: 'BATCH', min: 14, comfortable: 24, grow: 2, priority: 1, sortKey: 'T' },
    ({ batch }) => batchTitle(batch),
  ),
  {
    id: 'progress',
    title: 'PROGRESS',
    min: 10,
    comfortable: 22,
    grow: 1,
    priority: 3,
    align: 'left',
    value: ({ batch }) => batch.done / batch.total,
    cell: ({ batch }, width, { theme }) => batchBar(batch, width, theme),
  },
  {
    ...textColumn<BatchItem>(
      { id: 'done', title: 'DONE', min: 11, comfortable: 13, priority: 2, align: 'right', sortKey: 'D' },
      ({ batch }) => batch.done,
    ),
    cell: ({ batch }, width, { theme }) => [
      span(
        fit(`${formatCount(batch.done)}/${formatCount(batch.total)}`, width, 'right', theme.glyphs.ellipsis),
      ),
    ],
  },
  numberColumn({ id: 'failed', title: 'FAILED', priority: 4, sortKey: 'F' }, (batch) => batch.failed, 'bad'),
  numberColumn(
    { id: 'running', title: 'RUNNING', priority: 6, sortKey: 'R' },
    (batch) => batch.running,
    'good',
  ),
  numberColumn(
    { id: 'waiting', title: 'WAITING', priority: 7, sortKey: 'W' },
    (batch) => batch.waiting,
    'waiting',
  ),
  textColumn(
    { id: 'rate', title: 'AN HOUR', min: 7, comfortable: 7, priority: 9, align: 'right', sortKey: 'H' },
    ({ batch }) => batch.slidesPerHour,
    { shownAs: (rate) => rateText(Number(rate)) },
  ),
  {
    ...textColumn<BatchItem>(
      { id: 'ends', title: 'ENDS', min: 10, comfortable: 10, priority: 5, sortKey: 'E' },
      ({ batch }) => batch.endedAt ?? batch.expectedEnd,
    ),
    cell({ batch }, width, { now, theme }) {
      const text = fit(endOf(batch, now), width, 'left', theme.glyphs.ellipsis);
      return [span(text, batch.endedAt === null ? 'plain' : 'muted')];
    },
  },
  textColumn(
    { id: 'time', title: 'TIME', min: 8, comfortable: 10, priority: 10, align: 'right', sortKey: 'I' },
    ({ batch }) => (batch.time === null ? null : batch.time.median / 1_000),
    { shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  ),
  textColumn(
    { id: 'memory', title: 'MEMORY', min: 7, comfortable: 8, priority: 11, align: 'right', sortKey: 'M' },
    ({ batch }) => batch.memory?.worst ?? null,
    { shownAs: (bytes) => formatMemory(Number(bytes)) },
  ),
  textColumn(
    { id: 'user', title: 'USER', min: 8, comfortable: 10, priority: 8, sortKey: 'U' },
    ({ batch }) => batch.user,
  ),
  textColumn(
    { id: 'started', title: 'STARTED', min: 11, comfortable: 11, priority: 12, sortKey: 'S' },
    ({ batch }) => batch.firstAt,
    { tone: 'muted', shownAs: (at) => formatDateTime(Number(at)).slice(5, 16) },
  ),
  textColumn(
    { id: 'image', title: 'IMAGE', min: 16, comfortable: 24, grow: 1, priority: 13 },
    ({ batch }) => batch.image,
    { tone: 'muted' },
  ),
  textColumn({ id: 'id', title: 'ID', min: 8, comfortable: 8, priority: 14 }, ({ batch }) => batch.id, {
    tone: 'muted',
    shownAs: (id) => String(id).slice(0, 8),
  }),
];

function numberColumn(
  shape: Pick<Column<BatchItem>, 'id' | 'title' | 'priority'> & { sortKey: string },
  value: (batch: Batch) => number,
  tone: 'good' | 'bad' | 'waiting',
): Column<BatchItem> {
  return textColumn({ ...shape, min: 7, comfortable: 7, align: 'right' }, ({ batch }) => value(batch), {
    shownAs: (number) => (number === 0 ? '' : formatCount(Number(number))),
    tone: ({ batch }) => (value(batch) === 0 ? 'muted' : tone),
  });
}

export const batchesView: TableView<BatchItem> = {
  table: defineTable<BatchItem>({
    columns,
    squeezablePriority: 7,
    searchTexts: ({ batch }) => [batch.cli, ...batch.failures.map(({ reason }) => reason)],
    isError: ({ batch }) => batch.failed > 0,
  }),
  label: 'batches',
  liveViews: ['batches'],
  rows: ({ liveViews: { batches }, tables }) => {
    const known = new Map(tables.batches.rows.map((item) => [item.batch, item]));
    return (batches?.rows ?? []).map((batch) => known.get(batch) ?? { id: batch.id, batch });
  },
  // the worker reports changes at once, so the list is as old as its latest message
  age({ liveViews: { batches }, snapshot: { link }, now }) {
    const silent = link.kind === 'socket' ? link.problem : null;
    const receivedAt = link.kind === 'socket' && link.problem !== null ? link.at : now;
    return { at: batches === undefined ? null : receivedAt, problem: batches?.problem ?? silent };
  },
  emptyReason: ({ liveViews: { batches } }) =>
    batches === undefined
      ? 'Loading batches from the worker.'
      : 'No batches: no two runs of one user and image with the same arguments were started close together.',
  details({ batch }, state) {
    const [failure] = batch.failures;
    return [
      'inferred',
      batch.user,
      batch.image,
      batch.endedAt === null ? endOf(batch, state.now) : null,
      failure === undefined ? null : `${formatCount(failure.count)} x ${failure.reason}`,
      failure?.suggestion,
    ];
  },
  openTarget: ({ id }) => ({ kind: 'table', table: 'jobs', query: `batch=${id}` }),
  page: ({ batch }, state, theme) => batchPageLines(batch, state, theme),
  totals: ({ tables }) => totalsOf(tables.batches.shown.map(({ batch }) => batch)),
  copyText: ({ id }) => id,
};

/** What its Girder jobs are called, or its CLI. */
export function batchTitle({ title, cli, image }: Batch): string {
  return cleanText(title ?? (cli || image));
}

/** A bar of succeeded, failed and canceled, and left slides, then how much is done. */
export function batchBar(batch: Batch, width: number, { glyphs }: Theme): Span[] {
  const { total, succeeded, failed, canceled, done } = batch;
  const percent = `${Math.floor((100 * done) / Math.max(1, total))}%`.padStart(5);
  const room = Math.max(0, width - percent.length);
  const cells = (count: number): number =>
    count === 0 ? 0 : Math.max(1, Math.round((count / total) * room));
  const bad = Math.min(room, cells(failed));
  const gone = Math.min(room - bad, cells(canceled));
  const left = done === total ? 0 : Math.min(room - bad - gone, cells(total - done));
  const good = succeeded === 0 ? 0 : room - bad - gone - left;
  return [
    span(glyphs.barDone.repeat(good), 'good'),
    span(glyphs.barDone.repeat(bad), 'bad'),
    span(glyphs.barDone.repeat(gone), 'muted'),
    span(glyphs.barLeft.repeat(room - good - bad - gone), 'muted'),
    span(percent),
  ];
}

function endOf(batch: Batch, now: number): string {
  const text = endText(batch, now);
  return text === '-' ? '' : text;
}

/** Everything about a batch: how far it is, what its slides need, and its failures by reason. */
export function batchPageLines(batch: Batch, { now, size }: ConsoleState, theme: Theme): Line[] {
  const width = size.columns;
  const facts: Fact[] = [
    ['title', batch.title],
    ['analysis', batch.cli],
    ['image', batch.image],
    ['user', batch.user],
    ['started', `${formatDateTime(batch.firstAt)}, ${formatAge(now - batch.firstAt)} ago`],
    [
      'slides',
      `${formatCount(batch.done)} of ${formatCount(batch.total)} done: ${formatCount(batch.succeeded)} succeeded, ${formatCount(batch.failed)} failed, ${formatCount(batch.canceled)} canceled`,
    ],
    [
      'left',
      batch.unfinished.length === 0
        ? null
        : `${formatCount(batch.running)} running, ${formatCount(batch.waiting)} waiting`,
    ],
    ['rate', batch.slidesPerHour === null ? null : `${rateText(batch.slidesPerHour)} slides an hour`],
    [batch.endedAt === null ? 'ends' : 'ended', endOf(batch, now)],
    ['first run', batch.id],
  ];
  const bar = batchBar(batch, Math.min(60, Math.max(12, width - 4)), theme);
  return [
    { spans: [span(` ${batchTitle(batch)}`, 'strong')] },
    { spans: [span('   '), ...bar] },
    { spans: [] },
    ...factLines('Batch', facts, width),
    ...factLines(
      'A slide takes, median and worst',
      [
        ['time', timeText(batch.time)],
        ['memory', memoryText(batch)],
      ],
      width,
    ),
    ...batch.failures.flatMap(({ count, reason, suggestion, runs }, index) => [
      ...(index === 0 ? [{ spans: [span(' Failures by reason', 'strong')] }] : []),
      ...wrapWords(`${formatCount(count)} x ${cleanText(reason)}`, width - 6).map((text) => ({
        spans: [span(`   ${text}`, 'bad')],
      })),
      ...(suggestion === null ? [] : [{ spans: [span(`     ${suggestion}`, 'accent')] }]),
      {
        spans: [
          span(
            `     runs ${runs
              .slice(0, 4)
              .map((id) => cleanText(id.slice(0, 8)))
              .join(', ')}${runs.length > 4 ? ', and others' : ''}`,
            'muted',
          ),
        ],
      },
    ]),
    ...(batch.failures.length > 0 ? [{ spans: [] }] : []),
    ...wrapWords(
      'Inferred: Girder does not mark batches. Runs of one user, image and CLI with the same arguments but for the inputs, started close together, are shown as one.',
      width - 4,
    ).map((text) => ({ spans: [span(` ${text}`, 'muted')] })),
  ];
}

function totalsOf(batches: readonly Batch[]): Span[] {
  const sum = (part: (batch: Batch) => number): number =>
    batches.reduce((all, batch) => all + part(batch), 0);
  const [total, done, failed] = [sum((b) => b.total), sum((b) => b.done), sum((b) => b.failed)];
  return [
    span(`${formatCount(done)} of ${formatCount(total)} slides done`, 'muted'),
    span(`   ${formatCount(failed)} failed`, failed === 0 ? 'muted' : 'bad'),
    span('   inferred', 'muted'),
  ];
}
