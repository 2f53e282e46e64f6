import { pageItem, type ConsoleState } from '../../state/state.js';
import type { Line, Theme } from '../../terminal/theme.js';
import { chooseTheme, span } from '../../terminal/theme.js';
import { jobPageLines } from './job-page.js';
import { accountingPageLines } from './accounting-page.js';
import { schedulerPageLines } from './scheduler-page.js';
import { scriptPageLines } from './script-page.js';
import { currentView } from '../tables/all-tables.js';
import { workerPageLines } from './worker-page.js';

/** The number of lines does not depend on the theme. */
const anyTheme = chooseTheme({});

/** All lines of the open page; empty while a table is shown. */
export function pageLines(state: ConsoleState, theme: Theme = anyTheme): readonly Line[] {
  switch (state.place.view) {
    case 'item':
      return itemPageLines(state, theme);
    case 'job':
      return jobPageLines(state, theme);
    case 'script':
      return scriptPageLines(state, state.place.jobId);
    case 'scheduler':
      return schedulerPageLines(state);
    case 'accounting':
      return accountingPageLines(state, theme);
    case 'worker':
      return workerPageLines(state, theme);
    default:
      return [];
  }
}

function itemPageLines(state: ConsoleState, theme: Theme): readonly Line[] {
  const item = pageItem(state);
  const { page } = currentView(state);
  if (item !== null && page !== undefined) return page(item, state, theme);
  return [{ spans: [span(' This row no longer exists. Press Esc to go back.', 'muted')] }];
}
