import { reduceTable, type TableAction } from '../table/table-reducer.js';
import { recomputeTable, withSeenWidths, type TableState } from '../table/table-state.js';
import { currentView, tableView } from '../views/tables/all-tables.js';
import { tableHeight } from './layout.js';
import { followSelection } from './log-reducer.js';
import { isTable, tableNameOf, tableOf, type ConsoleState, type TableName } from './state.js';

/** Reads the rows of these tables again. */
export function withRows(state: ConsoleState, names: readonly TableName[]): ConsoleState {
  const tables = { ...state.tables };
  for (const name of names) Object.assign(tables, { [name]: withCurrentRows(state, name) });
  return { ...state, tables };
}

function withCurrentRows(state: ConsoleState, name: TableName): TableState {
  const table: TableState = state.tables[name];
  return { ...table, rows: tableView(name).rows?.(state) ?? table.rows };
}

export function withCurrentTable(state: ConsoleState, table: TableState): ConsoleState {
  return table === tableOf(state)
    ? state
    : { ...state, tables: { ...state.tables, [tableNameOf(state)]: table } };
}

export function applyTableAction(state: ConsoleState, action: TableAction): ConsoleState {
  const { table } = currentView(state);
  return recompute(
    withCurrentTable(state, reduceTable(tableOf(state), action, { table, height: tableHeight(state) })),
  );
}

/** Updates what depends on rows, filter, size and panes: the visible rows, the selection, and the log that it opens. */
export function recompute(state: ConsoleState): ConsoleState {
  const { table, age } = currentView(state);
  const isCovered =
    state.log !== null || !isTable(state.place) || !['none', 'filter'].includes(state.overlay.kind);
  const recomputed = recomputeTable(tableOf(state), {
    table,
    context: { now: state.now, age: age(state) },
    height: tableHeight(state),
    keepSelection: isCovered,
  });
  return followSelection(withWidths(withCurrentTable(state, recomputed)));
}

/** The columns of the table get the room that the visible rows need. */
export function withWidths(state: ConsoleState): ConsoleState {
  const { table, age } = currentView(state);
  const context = { now: state.now, age: age(state) };
  return withCurrentTable(
    state,
    withSeenWidths(tableOf(state), { table, context, height: tableHeight(state) }),
  );
}
