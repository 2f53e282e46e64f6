import { pageItem, tableNameOf, type ConsoleState } from '../state/state.js';
import type { Line, Theme } from '../terminal/theme.js';
import { chooseTheme, span } from '../terminal/theme.js';
import { jobPageLines } from './job-page.js';
import { tableViews } from './tables.js';
import { workerPageLines } from './worker-page.js';

/** How many lines a page has does not depend on how it looks. */
const anyTheme = chooseTheme({});

/** The whole page that the operator is on, from its first line; none while the table is shown. */
export function pageLines(state: ConsoleState, theme: Theme = anyTheme): readonly Line[] {
  switch (state.place.view) {
    case 'item':
      return itemPageLines(state, theme);
    case 'job':
      return jobPageLines(state, theme);
    case 'worker':
      return workerPageLines(state, theme);
    default:
      return [];
  }
}

function itemPageLines(state: ConsoleState, theme: Theme): readonly Line[] {
  const item = pageItem(state);
  const { page } = tableViews[tableNameOf(state)];
  if (item !== null && page !== undefined) return page(item, state, theme);
  return [{ spans: [span(' This row is gone. Esc goes back.', 'muted')] }];
}
