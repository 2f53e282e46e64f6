import { counted } from './format.js';
import { tableNameOf, tableOf, type ConsoleState } from '../state/state.js';
import { selectedItem } from '../table/table-state.js';
import type { Look } from '../table/table.js';
import { cleanText, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { tableViews } from './tables.js';

/** How the table of this state is to look. */
export function lookOf(state: ConsoleState): Look {
  const { wide, columns, sorting } = tableOf(state);
  return { width: state.size.columns, wide, chosen: columns, sorting };
}

/** Heading and rows of the table: `height` rows at most, or the sentence that says why there are none. */
export function tableLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const look = lookOf(state);
  const { table, age } = tableViews[tableNameOf(state)];
  const { shown, position, marked } = tableOf(state);
  const heading = table.heading(look, theme);
  if (shown.length === 0) {
    const sentence = wrapWords(emptySentence(state), state.size.columns - 4);
    return [heading, ...sentence.slice(0, height).map((text) => ({ spans: [span(`  ${text}`, 'muted')] }))];
  }
  const context = { now: state.now, age: age(state), theme };
  const stale = context.age.trouble !== null;
  const { top, index } = position;
  const rows = shown.slice(top, top + height).map((item, offset) => {
    const marks = { selected: top + offset === index, marked: marked.has(item.id), stale };
    return table.row(item, marks, look, context);
  });
  return [heading, ...rows];
}

/** What all rows of the table come to, above it. */
export function summaryLines(state: ConsoleState, height: number, theme: Theme): readonly Line[] {
  return height < 1 ? [] : (tableViews[tableNameOf(state)].summary?.(state, height, theme) ?? []);
}

/** Nothing there, nothing known, and nothing let through are three things. */
function emptySentence(state: ConsoleState): string {
  const { rows, query } = tableOf(state);
  if (rows.length === 0) return tableViews[tableNameOf(state)].nothing(state);
  const hidden = counted(rows.length, 'row');
  return query.text === ''
    ? `No row is an error: the errors-only switch hides ${hidden}. Esc turns it off.`
    : `No row passes "${cleanText(query.text)}": the filter hides ${hidden}. Esc clears it.`;
}

/** Two lines about the selected row, with what the columns have no room for. */
export function detailLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  if (height === 0) return [];
  const rule: Line = { spans: [span(theme.glyphs.rule.repeat(state.size.columns), 'muted')] };
  const item = selectedItem(tableOf(state));
  if (item === null) return [rule, { spans: [] }];
  const facts = tableViews[tableNameOf(state)]
    .about(item, state)
    .filter((fact) => fact !== null && fact !== undefined && fact !== '')
    .map((fact) => cleanText(String(fact)));
  return [rule, { spans: [span(` ${facts.join(` ${theme.glyphs.dot} `)}`)] }];
}
