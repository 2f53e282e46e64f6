import type { ChosenColumns } from './column.js';
import {
  markRange,
  moveTo,
  sortBy,
  sortNext,
  toggleAll,
  toggleMark,
  withQuery,
  type TableState,
} from './table-state.js';
import type { Table } from './table.js';

/** Changes to the table on screen. */
export type TableAction =
  | { type: 'filterTyped'; text: string }
  | { type: 'filterErased' }
  | { type: 'filterSet'; text: string }
  | { type: 'sortedBy'; column: string | null; descending?: boolean }
  | { type: 'sortedNext' }
  | { type: 'markToggled' }
  | { type: 'rangeMarked' }
  | { type: 'allMarked' }
  | { type: 'wideToggled' }
  | { type: 'errorsToggled' }
  | { type: 'columnsChosen'; columns: ChosenColumns };

const maxQueryLength = 200;

/** @param height visible rows */
export function reduceTable(
  state: TableState,
  action: TableAction,
  { table, height }: { table: Table; height: number },
): TableState {
  const filtered = (text: string): TableState => withQuery(state, text.slice(0, maxQueryLength), table);
  switch (action.type) {
    case 'filterTyped':
      return filtered(state.query.text + action.text);
    case 'filterErased':
      return filtered(Array.from(state.query.text).slice(0, -1).join(''));
    case 'filterSet':
      return filtered(action.text);
    case 'sortedBy': {
      const { column, descending } = action;
      if (column === null) return { ...state, sorting: null };
      return descending === undefined ? sortBy(state, column) : { ...state, sorting: { column, descending } };
    }
    case 'sortedNext':
      return sortNext(state, table.columnIds);
    case 'markToggled': {
      const marked = toggleMark(state);
      return moveTo(marked, marked.position.index + 1, height);
    }
    case 'rangeMarked':
      return markRange(state);
    case 'allMarked':
      return toggleAll(state);
    case 'wideToggled':
      return { ...state, wide: !state.wide, columns: null };
    case 'errorsToggled':
      return { ...state, errorsOnly: !state.errorsOnly };
    case 'columnsChosen':
      return { ...state, columns: action.columns };
  }
}

/** Clears the filter, else the errors-only switch, else the marks. Returns the same object if nothing is set. */
export function clearNext(state: TableState, table: Table): TableState {
  if (state.query.text !== '') return withQuery(state, '', table);
  if (state.errorsOnly) return { ...state, errorsOnly: false };
  return state.marked.size === 0 ? state : { ...state, marked: new Set() };
}
