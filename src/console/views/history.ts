import type { HistoryRow } from '../../worker/views/live-views.js';
import { clockText, count, took, slurmDuration } from './format.js';
import { bySpan, scaleFor, waitBars, waits } from '../data/history.js';
import type { Row } from '../state/rows.js';
import { spansWidth } from '../terminal/line-layout.js';
import { sparkline, quantile } from '../terminal/sparkline.js';
import type { ConsoleState } from '../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type Column } from '../table/column.js';
import { defineTable } from '../table/table.js';
import { fit } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { jobsView, rowName } from './jobs.js';
import type { TableView } from './table-view.js';

/** A finished run: a row as the table of runs has it, and how long each part took. */
export type HistoryItem = Row & { times: HistoryRow };

const run = ({ times }: HistoryItem): HistoryRow['run'] => times.run;

const columns: readonly Column<HistoryItem>[] = [
  {
    id: 'outcome',
    title: 'OUTCOME',
    min: 11,
    comfort: 11,
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
    { id: 'finished', title: 'FINISHED', min: 11, comfort: 11, priority: 4, sortKey: 'F' },
    (item) => run(item).finishedAt,
    { shownAs: (at) => clockText(Number(at)).slice(5, 16) },
  ),
  textColumn(
    { id: 'job', title: 'JOB', min: 7, comfort: 9, priority: 8, sortKey: 'J' },
    (item) => run(item).jobId,
  ),
  textColumn({ id: 'run', title: 'RUN', min: 8, comfort: 8, priority: 13 }, (item) => run(item).id, {
    tone: 'muted',
    shownAs: (id) => String(id).slice(0, 8),
  }),
  textColumn(
    { id: 'name', title: 'NAME', min: 12, comfort: 20, grow: 1, priority: 2, sortKey: 'N' },
    rowName,
  ),
  textColumn(
    { id: 'image', title: 'IMAGE', min: 16, comfort: 24, grow: 1, priority: 12, sortKey: 'I' },
    (item) => run(item).image,
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'title', title: 'GIRDER TITLE', min: 12, comfort: 22, grow: 2, priority: 6, sortKey: 'T' },
    (item) => run(item).title,
    { cut: 'middle' },
  ),
  textColumn(
    { id: 'user', title: 'USER', min: 8, comfort: 10, priority: 9, sortKey: 'U' },
    (item) => run(item).user,
  ),
  time({ id: 'preparing', title: 'PREPARED', priority: 14 }, (times) => times.preparingMs),
  time({ id: 'waiting', title: 'WAITED', priority: 3, sortKey: 'Q' }, ({ waitingMs }) => waitingMs),
  time({ id: 'running', title: 'RAN', priority: 5, sortKey: 'R' }, ({ runningMs }) => runningMs),
  time({ id: 'collecting', title: 'COLLECTED', priority: 15 }, (times) => times.collectingMs),
  time({ id: 'total', title: 'TOTAL', priority: 11, sortKey: 'E' }, ({ totalMs }) => totalMs),
  textColumn(
    { id: 'jobstate', title: 'JOB STATE', min: 10, comfort: 13, priority: 10, sortKey: 'P' },
    ({ times }) => times.jobState,
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'exit', title: 'EXIT', min: 4, comfort: 4, priority: 16, align: 'right' },
    ({ times }) => times.exitCode,
  ),
  textColumn(
    { id: 'reason', title: 'REASON', min: 10, comfort: 20, grow: 3, priority: 7 },
    (item) => run(item).reason,
    { tone: (item) => (run(item).outcome === 'failed' ? 'bad' : 'muted') },
  ),
];

/** A column with a time in it: filter and sort see seconds. */
function time(
  shape: Pick<Column<HistoryItem>, 'id' | 'title' | 'priority'> &
    Partial<Pick<Column<HistoryItem>, 'sortKey'>>,
  ms: (times: HistoryRow) => number | null,
): Column<HistoryItem> {
  return textColumn(
    { ...shape, min: 7, comfort: 9, align: 'right' },
    ({ times }) => {
      const spent = ms(times);
      return spent === null ? null : spent / 1_000;
    },
    { shownAs: (seconds) => slurmDuration(Number(seconds)) },
  );
}

export const historyView: TableView = {
  table: defineTable<HistoryItem>({
    columns,
    squeezable: 7,
    texts: (item) => [run(item).girderJobId],
    isError: (item) => run(item).outcome === 'failed',
  }),
  noun: 'finished runs',
  needs: ['history'],
  rows: ({ watched: { history } }) =>
    (history?.rows ?? []).map((times): HistoryItem => ({
      id: `run:${times.run.id}`,
      group: 'finished',
      run: times.run,
      job: null,
      times,
    })),
  // told of at once when one finishes: it is as old as what was heard of the worker last
  age({ watched: { history }, snapshot: { link }, now }) {
    const silent = link.kind === 'socket' ? link.trouble : null;
    const heard = link.kind === 'socket' && link.trouble !== null ? link.at : now;
    return { at: history === undefined ? null : heard, trouble: history?.trouble ?? silent };
  },
  nothing: ({ watched: { history } }) =>
    history === undefined
      ? 'The worker is being asked for its finished runs.'
      : 'No run has finished yet, as far as the journal of this worker goes back.',
  about(item, state) {
    const { times } = item as HistoryItem;
    const [id, ...others] = jobsView.about(item, state).slice(0, 5);
    return [
      id,
      part('prepared', times.preparingMs),
      part('waited', times.waitingMs),
      part('ran', times.runningMs),
      part('collected', times.collectingMs),
      ...others,
      times.run.reason,
    ];
  },
  opens: ({ id }) => ({ kind: 'run', rowId: id }),
  sums: (state, theme) => outcomeSums(itemsShown(state), theme),
  summary: summaryLines,
  copies: (item) => jobsView.copies(item),
};

function part(name: string, ms: number | null): string | null {
  return ms === null ? null : `${name} ${took(ms)}`;
}

/** What is told about them all is about those that the filter lets through. */
function itemsShown({ tables }: ConsoleState): readonly HistoryItem[] {
  return tables.history.shown as readonly HistoryItem[];
}

function outcomeSums(items: readonly HistoryItem[], { glyphs }: Theme): Span[] {
  const number = (outcome: string): number => items.filter((item) => run(item).outcome === outcome).length;
  const [succeeded, failed, canceled] = ['succeeded', 'failed', 'canceled'].map(number);
  return [
    span(`${glyphs.succeeded} ${count(succeeded ?? 0)} ok`, succeeded === 0 ? 'muted' : 'good'),
    span(`   ${glyphs.failed} ${count(failed ?? 0)} failed`, failed === 0 ? 'muted' : 'bad'),
    span(`   ${glyphs.canceled} ${count(canceled ?? 0)} canceled`, 'muted'),
  ];
}

const labelWidth = 20;
/** Hours or minutes that are looked back upon, where there is room. */
const mostSpans = 72;

/** Throughput and time in the queue over the last hours or minutes, and how many waited how long. */
function summaryLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const rows = itemsShown(state).map(({ times }) => times);
  const scale = scaleFor(rows, state.now);
  const room = Math.min(mostSpans, Math.max(12, state.size.columns - labelWidth - 42));
  const spans = bySpan(rows, state.now, scale, scale.word === 'minute' ? Math.min(60, room) : room);
  const label = (text: string): Span => span(` ${text.padEnd(labelWidth - 1)}`, 'muted');
  const finished = spans.map((one) => one.finished);
  const waited = spans.map((one) => one.medianWaitMs);
  const longest = Math.max(...waited.map((ms) => ms ?? 0));
  const a = scale.word === 'hour' ? 'an hour' : 'a minute';
  const lines: Line[] = [
    {
      spans: [
        label(`finished ${a}`),
        span(sparkline(finished, theme.glyphs), 'good'),
        span(`  at most ${count(Math.max(...finished))} ${a}, in ${spans.length} ${scale.word}s`, 'muted'),
      ],
    },
    waitLine(rows, label('time in queue'), state.size.columns, theme),
    {
      spans: [
        label('in queue, median'),
        span(sparkline(waited, theme.glyphs), 'waiting'),
        span(`  at most ${took(longest)}, ${scale.word} by ${scale.word}`, 'muted'),
      ],
    },
  ];
  return lines.slice(0, height);
}

/** The quantiles, and as many bars as there is room for, the short waits first. */
function waitLine(rows: readonly HistoryRow[], label: Span, width: number, { glyphs }: Theme): Line {
  const all = waits(rows);
  const [half, most] = [quantile(all, 0.5), quantile(all, 0.9)];
  if (half === null || most === null) return { spans: [label, span('nothing has waited so far', 'muted')] };
  const spans = [label, span(`half within ${took(half)}, 9 of 10 within ${took(most)}`)];
  const bars = waitBars(rows);
  const highest = Math.max(...bars.map((bar) => bar.count));
  const barWidth = width < 120 ? 3 : 8;
  for (const bar of bars) {
    if (bar.count === 0) continue;
    const next = [
      span(`   ${bar.label === 'longer' ? '' : 'to '}${bar.label} `, 'muted'),
      span(glyphs.barDone.repeat(Math.max(1, Math.round((bar.count / highest) * barWidth))), 'waiting'),
      span(` ${count(bar.count)}`),
    ];
    if (spansWidth(spans) + spansWidth(next) > width) break;
    spans.push(...next);
  }
  return { spans };
}
