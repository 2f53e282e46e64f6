import { pluralize } from './format.js';
import { layoutScreen } from '../state/layout.js';
import { executorName } from './executor-labels.js';
import { isTable, listedJobs, lostWorker, tableOf, type ConsoleState } from '../state/state.js';
import { selectedItem } from '../table/table-state.js';
import { cleanText } from '../terminal/text.js';
import type { Line, Theme } from '../terminal/theme.js';
import { footerLine, messageLine } from './footer.js';
import { plainTitle, warningLines } from './header.js';
import { helpLines } from './help.js';
import { logLines } from './log.js';
import { pageLines } from './pages/page.js';
import { questionLines } from './question.js';
import { tableLayoutOptions, tableLines } from './table.js';
import { currentView } from './tables/all-tables.js';

/** Columns that change every second: a screen reader would announce nothing else. */
const tickingColumns: ReadonlySet<string> = new Set(['elapsed']);

/**
 * The screen as plain lines for a screen reader, without boxes, columns and ticking ages. Of a table, only the selected row
 * is included, one field per line. Questions and messages come last.
 */
export function linearLines(state: ConsoleState, theme: Theme): readonly string[] {
  const { overlay, place } = state;
  const layout = layoutScreen(state);
  const question = questionLines(state, theme);
  const middle =
    overlay.kind === 'help'
      ? helpLines(state).slice(overlay.top, overlay.top + layout.help)
      : isTable(place)
        ? logLines(state, Math.min(layout.log, 12), theme)
        : pageLines(state, theme).slice(place.top, place.top + layout.page);
  return [
    textOf(plainTitle(state, theme)),
    ...warningLines(state, theme).map(textOf),
    ...slurmWarning(state),
    ...intakeWarning(state),
    ...(isTable(place) && overlay.kind !== 'help' ? rowLines(state, theme) : []),
    ...middle.map(textOf),
    ...(question === null ? [] : ['Question:', ...question.map(textOf)]),
    textOf(messageLine(state, theme)),
    `Keys: ${textOf(footerLine(state))}`,
  ].filter((line) => line !== '');
}

function slurmWarning(state: ConsoleState): string[] {
  const { problem, lostAt } = listedJobs(state);
  const who = executorName(state.snapshot.executor);
  // the warning lines say that the worker is lost
  return problem === null || lostAt !== undefined ? [] : [`${who} is not responding: ${cleanText(problem)}`];
}

/** On a drawn screen, this is part of the health line. */
function intakeWarning({ snapshot }: ConsoleState): string[] {
  const { health, link } = snapshot;
  return link.kind === 'none' || lostWorker(snapshot) !== null || health.intake === 'open'
    ? []
    : [`Intake ${health.intake}: no tasks are accepted.`];
}

/** The selected row as `column: value` lines, or the reason why there is none. */
function rowLines(state: ConsoleState, theme: Theme): string[] {
  const table = tableOf(state);
  const item = selectedItem(table);
  if (item === null) return tableLines(state, 4, theme).slice(1).map(textOf);
  const { shown, position, marked } = table;
  const view = currentView(state);
  const values = view.table.values(item, tableLayoutOptions(state), { now: state.now, age: view.age(state) });
  const marks = marked.has(item.id) ? ', marked' : '';
  const all = marked.size === 0 ? '' : `, ${pluralize(marked.size, 'row')} marked in total`;
  return [
    `Row ${position.index + 1} of ${shown.length}${marks}${all}`,
    ...Object.entries(values)
      .filter(([id, value]) => !tickingColumns.has(id) && value !== null && value !== '')
      .map(([id, value]) => `${id}: ${cleanText(String(value))}`),
  ];
}

function textOf({ spans }: Line): string {
  return spans
    .map(({ text }) => text)
    .join('')
    .replaceAll(/\s+/gu, ' ')
    .trim();
}
