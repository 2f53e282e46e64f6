import { counted } from './format.js';
import { layoutScreen } from '../state/layout.js';
import { runnerName } from './executor-labels.js';
import { isTable, jobsShown, tableNameOf, tableOf, type ConsoleState } from '../state/state.js';
import { selectedItem } from '../table/table-state.js';
import { cleanText } from '../terminal/text.js';
import type { Line, Theme } from '../terminal/theme.js';
import { footerLine, messageLine } from './footer.js';
import { titleLine, troubleLines } from './header.js';
import { helpLines } from './help.js';
import { logLines } from './log.js';
import { pageLines } from './page.js';
import { questionLines } from './question.js';
import { lookOf, tableLines } from './table.js';
import { tableViews } from './tables.js';

/** Columns whose values change by themselves: read aloud with every second they would drown the rest. */
const restless: ReadonlySet<string> = new Set(['elapsed']);

/**
 * A state as lines for a screen reader: no boxes, no columns, no ages that count. Of a table the selected row is told, field
 * by field, because whoever listens goes from row to row; what is asked, typed or answered comes last.
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
    textOf(titleLine(state, theme)),
    ...troubleLines(state, theme).map(textOf),
    ...slurmTrouble(state),
    ...intakeTrouble(state),
    ...(isTable(place) && overlay.kind !== 'help' ? rowLines(state, theme) : []),
    ...middle.map(textOf),
    ...(question === null ? [] : ['Question:', ...question.map(textOf)]),
    textOf(messageLine(state, theme)),
    `Keys: ${textOf(footerLine(state))}`,
  ].filter((line) => line !== '');
}

function slurmTrouble(state: ConsoleState): string[] {
  const { trouble } = jobsShown(state);
  const who = runnerName(state.snapshot.executor);
  return trouble === null ? [] : [`${who} is silent: ${cleanText(trouble)}`];
}

/** Why no task is taken; who sees has it in the second line. */
function intakeTrouble({ snapshot: { health, link } }: ConsoleState): string[] {
  return link.kind === 'none' || health.intake === 'open'
    ? []
    : [`Intake ${health.intake}: no task is taken.`];
}

/** The selected row of the table as `column: value`, or why there is none. */
function rowLines(state: ConsoleState, theme: Theme): string[] {
  const table = tableOf(state);
  const item = selectedItem(table);
  if (item === null) return tableLines(state, 4, theme).slice(1).map(textOf);
  const { shown, position, marked } = table;
  const view = tableViews[tableNameOf(state)];
  const values = view.table.values(item, lookOf(state), { now: state.now, age: view.age(state) });
  const marks = marked.has(item.id) ? ', marked' : '';
  const all = marked.size === 0 ? '' : `, ${counted(marked.size, 'row')} marked in all`;
  return [
    `Row ${position.index + 1} of ${shown.length}${marks}${all}`,
    ...Object.entries(values)
      .filter(([id, value]) => !restless.has(id) && value !== null && value !== '')
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
