import type { ConsoleState } from '../state.js';
import type { DataAge } from '../table/column.js';
import type { Item, Table } from '../table/table.js';

/** One of the tables: what it lists, and what is to be said of it. The table itself knows how it is drawn. */
export interface TableView {
  table: Table;
  /** How old its data are. */
  age(state: ConsoleState): DataAge;
  /** Why it has no row at all: nothing there, or nothing known. */
  nothing(state: ConsoleState): string;
  /** What the columns may have no room for, about one row. */
  about(item: Item, state: ConsoleState): readonly (string | null | undefined)[];
}
