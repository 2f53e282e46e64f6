import { pluralize } from './format.js';
import { tableOf, type ConsoleState } from '../state/state.js';
import { selectedItem } from '../table/table-state.js';
import type { TableLayoutOptions } from '../table/table.js';
import { cleanText, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { currentView } from './tables/all-tables.js';

export function tableLayoutOptions(state: ConsoleState): TableLayoutOptions {
  const { wide, columns, sorting, seen } = tableOf(state);
  return { width: state.size.columns, wide, chosen: columns, sorting, seen };
}

/** Heading and at most `height` rows, or the reason why there are none. */
export function tableLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const layout = tableLayoutOptions(state);
  const { table, age } = currentView(state);
  const { shown, position, marked } = tableOf(state);
  const heading = table.heading(layout, theme);
  if (shown.length === 0) {
    const reason = wrapWords(emptyText(state), state.size.columns - 4);
    return [heading, ...reason.slice(0, height).map((text) => ({ spans: [span(`  ${text}`, 'muted')] }))];
  }
  const context = { now: state.now, age: age(state), theme };
  const { lostAt, problem } = context.age;
  const [stale, lost] = [problem !== null, lostAt !== undefined];
  const { top, index } = position;
  const rows = shown.slice(top, top + height).map((item, offset) => {
    const marks = { selected: top + offset === index, marked: marked.has(item.id), stale, lost };
    return table.row(item, marks, layout, context);
  });
  return [heading, ...rows];
}

export function summaryLines(state: ConsoleState, height: number, theme: Theme): readonly Line[] {
  return height < 1 ? [] : (currentView(state).summary?.(state, height, theme) ?? []);
}

/** Distinguishes missing rows, missing data and filtered rows. */
function emptyText(state: ConsoleState): string {
  const { rows, query } = tableOf(state);
  if (rows.length === 0) return currentView(state).emptyReason(state);
  const hidden = pluralize(rows.length, 'row');
  return query.text === ''
    ? `No errors; the errors-only switch hides ${hidden}. Press Esc to turn it off.`
    : `No matches for "${cleanText(query.text)}"; the filter hides ${hidden}. Press Esc to clear it.`;
}

/** A rule and facts about the selected row that may not fit into its columns. */
export function detailLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  if (height === 0) return [];
  const rule: Line = { spans: [span(theme.glyphs.rule.repeat(state.size.columns), 'muted')] };
  const item = selectedItem(tableOf(state));
  if (item === null) return [rule, { spans: [] }];
  const facts = currentView(state)
    .details(item, state)
    .filter((fact) => fact !== null && fact !== undefined && fact !== '')
    .map((fact) => cleanText(String(fact)));
  return [rule, { spans: [span(` ${facts.join(` ${theme.glyphs.dot} `)}`)] }];
}
