import type { Watched } from '../../worker/views/live-views.js';
import type { ConsoleState, TableName } from '../state/state.js';
import type { DataAge } from '../table/column.js';
import type { Item, Table } from '../table/table.js';
import type { Line, Span, Theme } from '../terminal/theme.js';

/** What Enter does to a row. */
export type Opening =
  | { kind: 'page' }
  | { kind: 'run'; rowId: string }
  | { kind: 'table'; table: TableName; query: string };

/** One of the tables: what it lists, and what is to be said of it. The table itself knows how it is drawn. */
export interface TableView {
  table: Table;
  /** What is told of: `nodes`. */
  noun: string;
  /** What is watched while it is shown. */
  needs: readonly (keyof Watched)[];
  /** Its rows, from what it needs; absent where the reducer merges them. */
  rows?(state: ConsoleState): readonly Item[];
  /** Its rows tell of runs as well, and change with them. */
  readsRuns?: true;
  /** How old its data are. */
  age(state: ConsoleState): DataAge;
  /** So many more of them are there than its rows; absent where there never are. */
  unlisted?(state: ConsoleState): number;
  /** Said instead of the age while its data are on their way; null while they are not. */
  progress?(state: ConsoleState, theme: Theme): Span | null;
  /** Why it has no row at all: nothing there, or nothing known. */
  nothing(state: ConsoleState): string;
  /** What the columns may have no room for, about one row. */
  about(item: Item, state: ConsoleState): readonly (string | null | undefined)[];
  opens(item: Item): Opening;
  /** The page about a row, if there is one. */
  page?(item: Item, state: ConsoleState, theme: Theme): readonly Line[];
  /** Sums, at the right of the line with the age. */
  sums?(state: ConsoleState, theme: Theme): Span[];
  /** Lines above the table, at most `height` of them: what all of its rows come to. */
  summary?(state: ConsoleState, height: number, theme: Theme): readonly Line[];
  /** What of a row is copied: what other commands take. */
  copies(item: Item): string;
}
