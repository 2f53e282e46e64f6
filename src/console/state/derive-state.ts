import { followSelection } from './log-reducer.js';
import { squeezedTable } from './layout.js';
import { isTable, tableNameOf, tableOf, type ConsoleState, type TableName } from './state.js';
import { reduceTable, type TableAction } from '../table/table-reducer.js';
import { settleTable, type TableState } from '../table/table-state.js';
import { tableViews } from '../views/tables.js';

/** `state` with some fields changed, or itself where they have those values already. */
export function change(state: ConsoleState, changes: Partial<ConsoleState>): ConsoleState {
  const names = Object.keys(changes) as (keyof ConsoleState)[];
  return names.every((name) => state[name] === changes[name]) ? state : { ...state, ...changes };
}

/** These tables with the rows that they have by now. */
export function withRows(state: ConsoleState, names: readonly TableName[]): ConsoleState {
  const changed = names.map((name) => {
    const before = state.tables[name];
    return [name, { ...before, rows: tableViews[name].rows?.(state) ?? before.rows }] as const;
  });
  return { ...state, tables: { ...state.tables, ...Object.fromEntries(changed) } };
}

/** What the table on screen, or under the page that is, shows. */
export function tableViewOf(state: ConsoleState): (typeof tableViews)[keyof typeof tableViews] {
  return tableViews[tableNameOf(state)];
}

/** With the table on screen in the place of what it was. */
export function changeTable(state: ConsoleState, table: TableState): ConsoleState {
  return table === tableOf(state)
    ? state
    : { ...state, tables: { ...state.tables, [tableNameOf(state)]: table } };
}

/** What an operator does to the table on screen. */
export function withTable(state: ConsoleState, action: TableAction): ConsoleState {
  const { table } = tableViewOf(state);
  return settle(
    changeTable(state, reduceTable(tableOf(state), action, { table, height: squeezedTable(state) })),
  );
}

/** After rows, filter, size or panes changed: what the table shows, and the log that goes with its selection. */
export function settle(state: ConsoleState): ConsoleState {
  const { table, age } = tableViewOf(state);
  const settled = settleTable(tableOf(state), {
    table,
    context: { now: state.now, age: age(state) },
    height: squeezedTable(state),
    held: state.log !== null || !isTable(state.place) || !['none', 'filter'].includes(state.overlay.kind),
  });
  return followSelection(changeTable(state, settled));
}
