import { layoutScreen } from '../state/layout.js';
import { isTable, tableOf, type ConsoleState } from '../state/state.js';
import { spansWidth } from '../terminal/line-layout.js';
import { chooseTheme } from '../terminal/theme.js';
import { tabsLine } from './header.js';

/** Symbols have the same width in all themes. */
const anyTheme = chooseTheme({});

/** The key of the tab at a column of the first line; null if there is none. */
export function tabAt(state: ConsoleState, column: number): string | null {
  let end = 0;
  for (const one of tabsLine(state, anyTheme).spans) {
    end += spansWidth([one]);
    if (column < end) return /^ (\d) ?/u.exec(one.text)?.[1] ?? null;
  }
  return null;
}

/** The index of the table's row at a place of the screen; null if there is none. */
export function rowAt(state: ConsoleState, column: number, row: number): number | null {
  if (!isTable(state.place)) return null;
  const { warnings, summary, heading, table, side } = layoutScreen(state);
  if (column >= state.size.columns - side) return null;
  // tabs, title and status come first
  const at = row - 3 - warnings - summary - heading;
  const { shown, position } = tableOf(state);
  const index = position.top + at;
  return at >= 0 && at < table && index < shown.length ? index : null;
}
