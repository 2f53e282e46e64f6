import { formatAge, formatDuration } from '../../../base/text/duration.js';
import type { HistoryRow } from '../../../worker/views/live-views.js';
import { formatDateTime, formatCount } from '../format.js';
import { groupByPeriod, scaleFor, waitBars, waitTimes } from '../../data/history-statistics.js';
import type { HistoryItem } from '../../state/table-rows.js';
import { spansWidth } from '../../terminal/line-layout.js';
import { sparkline, quantile } from '../../terminal/sparkline.js';
import { lostWorker, type ConsoleState } from '../../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { fit } from '../../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../../terminal/theme.js';
import { jobsView, rowName, shortRunId } from './jobs.js';
import type { TableView } from './table-view.js';

const run = ({ times }: HistoryItem): HistoryRow['run'] => times.run;

const columns: readonly Column<HistoryItem>[] = [
  {
    id: 'outcome',
    title: 'OUTCOME',
    min: 11,
    comfortable: 11,
    grow: 0,
    priority: 1,
    align: 'left',
    sortKey: 'A',
    value: (item) => run(item).outcome,
    cell(item, width, { theme: { glyphs } }) {
      const { glyph, word, tone } = rowStatus(item);
      return [span(fit(`${glyphs[glyph]} ${word}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'finished', title: 'FINISHED', min: 11, comfortable: 11, priority: 4, sortKey: 'F' },
    (item) => run(item).finishedAt,
    { shownAs: (at) => formatDateTime(Number(at)).slice(5, 16) },
  ),
  textColumn(
    { id: 'job', title: 'JOB', min: 7, comfortable: 9, priority: 8, sortKey: 'J' },
    (item) => run(item).jobId,
  ),
  textColumn({ id: 'run', title: 'RUN', min: 8, comfortable: 8, priority: 13 }, (item) => run(item).id, {
    tone: 'muted',
    shownAs: (id) => String(id).slice(0, 8),
  }),
  textColumn(
    {
      id: 'name',
      title: 'NAME',
      min: 8,
      comfortable: 20,
      grow: 1,
      priority: 2,
      fillPriority: 2,
      sortKey: 'N',
    },
    rowName,
  ),
  textColumn(
    { id: 'image', title: 'IMAGE', min: 16, comfortable: 24, grow: 1, priority: 12, sortKey: 'I' },
    (item) => run(item).image,
    { tone: 'muted' },
  ),
  textColumn(
    {
      id: 'title',
      title: 'GIRDER TITLE',
      min: 16,
      comfortable: 22,
      grow: 2,
      priority: 6,
      fillPriority: 1,
      sortKey: 'D',
    },
    (item) => run(item).title,
    { cut: 'middle' },
  ),
  textColumn(
    { id: 'user', title: 'USER', min: 8, comfortable: 10, priority: 9, sortKey: 'U' },
    (item) => run(item).user,
  ),
  durationColumn({ id: 'preparing', title: 'PREPARED', priority: 14 }, (times) => times.preparingMs),
  durationColumn({ id: 'waiting', title: 'WAITED', priority: 3, sortKey: 'Q' }, ({ waitingMs }) => waitingMs),
  durationColumn({ id: 'running', title: 'RAN', priority: 5, sortKey: 'R' }, ({ runningMs }) => runningMs),
  durationColumn({ id: 'collecting', title: 'COLLECTED', priority: 15 }, (times) => times.collectingMs),
  durationColumn({ id: 'total', title: 'TOTAL', priority: 11, sortKey: 'E' }, ({ totalMs }) => totalMs),
  textColumn(
    { id: 'jobstate', title: 'JOB STATE', min: 10, comfortable: 13, priority: 10, sortKey: 'P' },
    ({ times }) => times.jobState,
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'exit', title: 'EXIT', min: 4, comfortable: 4, priority: 16, align: 'right' },
    ({ times }) => times.exitCode,
  ),
  textColumn(
    { id: 'reason', title: 'REASON', min: 10, comfortable: 20, grow: 3, priority: 7 },
    (item) => run(item).reason,
    { tone: (item) => (run(item).outcome === 'failed' ? 'bad' : 'muted') },
  ),
];

/** A column for a duration. Filter and sort use seconds. */
function durationColumn(
  shape: Pick<Column<HistoryItem>, 'id' | 'title' | 'priority'> &
    Partial<Pick<Column<HistoryItem>, 'sortKey'>>,
  ms: (times: HistoryRow) => number | null,
): Column<HistoryItem> {
  return textColumn(
    { ...shape, min: 7, comfortable: Math.max(7, shape.title.length), align: 'right' },
    ({ times }) => {
      const duration = ms(times);
      return duration === null ? null : duration / 1_000;
    },
    { shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  );
}

export const historyView: TableView<HistoryItem> = {
  table: defineTable<HistoryItem>({
    columns,
    squeezablePriority: 7,
    searchTexts: (item) => [run(item).girderJobId],
    isError: (item) => run(item).outcome === 'failed',
  }),
  label: 'finished runs',
  liveViews: ['history'],
  rows: ({ liveViews: { history } }) =>
    (history?.rows ?? []).map((times): HistoryItem => ({
      id: `run:${times.run.id}`,
      group: 'finished',
      run: times.run,
      job: null,
      times,
    })),
  // the worker reports finished runs at once, so the list is as old as its latest message
  age({ liveViews: { history }, snapshot, now }) {
    const lost = lostWorker(snapshot);
    const problem = history?.problem ?? lost?.problem ?? null;
    return { at: history === undefined ? null : (lost?.at ?? now), problem };
  },
  emptyReason: ({ liveViews: { history } }) =>
    history === undefined
      ? 'Loading finished runs from the worker.'
      : "This worker's journal contains no finished runs.",
  details(item) {
    const { times } = item;
    const { user, image, reason, title } = times.run;
    return [
      `run ${shortRunId(item)}`,
      reason,
      title === null ? null : `"${title}"`,
      part('prepared', times.preparingMs),
      part('waited', times.waitingMs),
      part('ran', times.runningMs),
      part('collected', times.collectingMs),
      rowName(item),
      user,
      image,
    ];
  },
  openTarget: ({ id }) => ({ kind: 'run', rowId: id }),
  totals: (state, theme) => outcomeTotals(visibleItems(state), theme),
  summary: summaryLines,
  copyText: (item) => jobsView.copyText(item),
};

function part(name: string, ms: number | null): string | null {
  return ms === null ? null : `${name} ${formatDuration(ms)}`;
}

/** Totals and summary cover the rows that pass the filter. */
function visibleItems({ tables }: ConsoleState): readonly HistoryItem[] {
  return tables.history.shown;
}

function outcomeTotals(items: readonly HistoryItem[], { glyphs }: Theme): Span[] {
  const number = (outcome: string): number => items.filter((item) => run(item).outcome === outcome).length;
  const [succeeded, failed, canceled] = ['succeeded', 'failed', 'canceled'].map(number);
  return [
    span(`${glyphs.succeeded} ${formatCount(succeeded ?? 0)} ok`, succeeded === 0 ? 'muted' : 'good'),
    span(`   ${glyphs.failed} ${formatCount(failed ?? 0)} failed`, failed === 0 ? 'muted' : 'bad'),
    span(`   ${glyphs.canceled} ${formatCount(canceled ?? 0)} canceled`, 'muted'),
  ];
}

const labelWidth = 20;
/** Hours or minutes of the summary on a wide terminal. */
const maxPeriods = 72;

/** Throughput and queue time over the last hours or minutes, and the distribution of queue times. */
function summaryLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const rows = visibleItems(state).map(({ times }) => times);
  const scale = scaleFor(rows, state.now);
  const room = Math.min(maxPeriods, Math.max(12, state.size.columns - labelWidth - 42));
  const periods = groupByPeriod(rows, state.now, scale, scale.unit === 'minute' ? Math.min(60, room) : room);
  const label = (text: string): Span => span(` ${text.padEnd(labelWidth - 1)}`, 'muted');
  const finished = periods.map((one) => one.finished);
  const waited = periods.map((one) => one.medianWaitMs);
  const longest = Math.max(...waited.map((ms) => ms ?? 0));
  const a = scale.unit === 'hour' ? 'an hour' : 'a minute';
  const lines: Line[] = [
    {
      spans: [
        label(`finished ${a}`),
        span(sparkline(finished, theme.glyphs), 'good'),
        span(
          rows.length === 0
            ? '  no data yet'
            : `  at most ${formatCount(Math.max(...finished))} ${a}, over ${periods.length} ${scale.unit}s`,
          'muted',
        ),
      ],
    },
    queueTimeLine(rows, label('time in queue'), state.size.columns, theme),
    {
      spans: [
        label('in queue, median'),
        span(sparkline(waited, theme.glyphs), 'waiting'),
        span(`  at most ${formatDuration(longest)}, ${scale.unit} by ${scale.unit}`, 'muted'),
      ],
    },
  ];
  return lines.slice(0, height);
}

/** Quantiles, and the bars of a histogram as far as they fit. */
function queueTimeLine(rows: readonly HistoryRow[], label: Span, width: number, { glyphs }: Theme): Line {
  const all = waitTimes(rows);
  const [median, p90] = [quantile(all, 0.5), quantile(all, 0.9)];
  if (median === null || p90 === null) return { spans: [label, span('no data yet', 'muted')] };
  const spans = [label, span(`50% within ${formatDuration(median)}, 90% within ${formatDuration(p90)}`)];
  const bars = waitBars(rows);
  const highest = Math.max(...bars.map((bar) => bar.count));
  const barWidth = width < 120 ? 3 : 8;
  for (const bar of bars) {
    if (bar.count === 0) continue;
    const next = [
      span(`   ${bar.label === 'longer' ? '' : 'to '}${bar.label} `, 'muted'),
      span(glyphs.barDone.repeat(Math.max(1, Math.round((bar.count / highest) * barWidth))), 'waiting'),
      span(` ${formatCount(bar.count)}`),
    ];
    if (spansWidth(spans) + spansWidth(next) > width) break;
    spans.push(...next);
  }
  return { spans };
}
