import type { ConsoleState } from '../state.js';
import type { Line, Theme } from '../theme.js';
import { chooseTheme } from '../theme.js';
import { jobPageLines } from './job-page.js';
import { workerPageLines } from './worker-page.js';

/** How many lines a page has does not depend on how it looks. */
const anyTheme = chooseTheme({});

/** The whole page that the operator is on, from its first line; none while the table is shown. */
export function pageLines(state: ConsoleState, theme: Theme = anyTheme): readonly Line[] {
  switch (state.place.view) {
    case 'jobs':
      return [];
    case 'job':
      return jobPageLines(state, theme);
    case 'worker':
      return workerPageLines(state, theme);
  }
}
