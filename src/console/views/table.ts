import {
  headingCell,
  layoutColumns,
  nodesOrReason,
  rowName,
  shortRunId,
  type TableLayout,
} from '../columns.js';
import { counted } from '../format.js';
import { selectedRow, type ConsoleState } from '../state.js';
import type { Row } from '../rows.js';
import { merged } from '../spans.js';
import { cleanText, truncate, wrapWords } from '../text.js';
import { span, type Line, type Span, type Theme } from '../theme.js';

/** Heading and rows of the table: `height` rows at most, or the sentence that says why there are none. */
export function tableLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const layout = layoutColumns(state.size.columns - 1);
  const heading: Line = { spans: [span(' '), ...joined(layout, (one) => [headingCell(one, theme)])] };
  if (state.shown.length === 0) {
    const sentence = wrapWords(emptySentence(state), state.size.columns - 4);
    return [heading, ...sentence.slice(0, height).map((text) => ({ spans: [span(`  ${text}`, 'muted')] }))];
  }
  const { top, index } = state.position;
  const rows = state.shown.slice(top, top + height);
  return [heading, ...rows.map((row, offset) => rowLine(state, row, top + offset === index, layout, theme))];
}

function joined({ placed, gap }: TableLayout, cells: (one: TableLayout['placed'][number]) => Span[]): Span[] {
  const between = span(' '.repeat(gap));
  return placed.flatMap((one, index) => (index === 0 ? cells(one) : [between, ...cells(one)]));
}

function rowLine(state: ConsoleState, row: Row, selected: boolean, layout: TableLayout, theme: Theme): Line {
  const context = { jobs: state.snapshot.jobs, now: state.now, theme };
  const spans = joined(layout, ({ column, width }) => column.cell(row, width, context));
  return { spans: merged([span(selected ? theme.glyphs.selected : ' '), ...spans]), selected };
}

/** Nothing there, nothing known, and nothing let through are three things. */
function emptySentence({ rows, filter, snapshot: { jobs } }: ConsoleState): string {
  if (rows.length > 0) {
    return `No row holds "${cleanText(filter)}": the filter hides ${counted(rows.length, 'row')}. Esc clears it.`;
  }
  if (jobs.at === null) {
    return 'No runs yet. What jobs Slurm has is not known: it has not answered so far.';
  }
  return jobs.trouble === null
    ? 'No runs and no jobs: no task has arrived, and Slurm has no job of this user.'
    : 'No runs, and no jobs when Slurm last answered.';
}

/** Two lines about the selected row, with what the columns have no room for. */
export function detailLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const row = selectedRow(state);
  if (height === 0) return [];
  const width = state.size.columns;
  const rule: Line = { spans: [span(theme.glyphs.rule.repeat(width), 'muted')] };
  if (row === null) return [rule, { spans: [] }];
  const title = row.run?.title ?? null;
  const { run, job } = row;
  const facts = [
    run === null ? `job ${job.id} is not of this worker` : `run ${shortRunId(row)}`,
    rowName(row),
    run?.image,
    title === null ? null : `"${title}"`,
    run === null ? job.user : run.user,
    job?.partition,
    run?.stage === 'finished' ? null : run?.progressMessage,
    nodesOrReason(row),
  ]
    .filter((fact) => fact !== null && fact !== undefined && fact !== '')
    .map((fact) => cleanText(String(fact)));
  const text = facts.join(` ${theme.glyphs.dot} `);
  return [rule, { spans: [span(` ${text}`)] }];
}

/** A row in one sentence, for questions and answers. */
export function rowTitle(row: Row): string {
  const name = cleanText(rowName(row));
  return row.run === null
    ? `job ${cleanText(row.job.id)} ${truncate(name, 60)}`
    : `run ${cleanText(shortRunId(row))} ${truncate(name, 60)}`;
}
