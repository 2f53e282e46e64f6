import { counted } from '../format.js';
import type { Row } from '../rows.js';
import { selectedRow, type ConsoleState } from '../state.js';
import type { Look } from '../table/table.js';
import { cleanText, truncate, wrapWords } from '../text.js';
import { span, type Line, type Theme } from '../theme.js';
import { jobsTable, nodesOrReason, rowName, shortRunId } from './jobs.js';

/** How the table of this state is to look. */
export function lookOf({ table, size }: ConsoleState): Look {
  return { width: size.columns, wide: table.wide, chosen: table.columns, sorting: table.sorting };
}

/** Heading and rows of the table: `height` rows at most, or the sentence that says why there are none. */
export function tableLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const look = lookOf(state);
  const { shown, position, marked } = state.table;
  const heading = jobsTable.heading(look, theme);
  if (shown.length === 0) {
    const sentence = wrapWords(emptySentence(state), state.size.columns - 4);
    return [heading, ...sentence.slice(0, height).map((text) => ({ spans: [span(`  ${text}`, 'muted')] }))];
  }
  const context = { now: state.now, age: state.snapshot.jobs, theme };
  const { top, index } = position;
  const rows = shown.slice(top, top + height).map((item, offset) => {
    const marks = { selected: top + offset === index, marked: marked.has(item.id) };
    return jobsTable.row(item, marks, look, context);
  });
  return [heading, ...rows];
}

/** Nothing there, nothing known, and nothing let through are three things. */
function emptySentence({ table, snapshot: { jobs } }: ConsoleState): string {
  if (table.rows.length > 0) {
    const hidden = counted(table.rows.length, 'row');
    return table.query.text === ''
      ? `No row is an error: the errors-only switch hides ${hidden}. Esc turns it off.`
      : `No row passes "${cleanText(table.query.text)}": the filter hides ${hidden}. Esc clears it.`;
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
