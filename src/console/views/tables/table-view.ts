import type { LiveViews } from '../../../worker/views/live-views.js';
import type { ConsoleState, TableName } from '../../state/state.js';
import type { DataAge } from '../../table/column.js';
import type { Item, Table } from '../../table/table.js';
import type { Line, Span, Theme } from '../../terminal/theme.js';

/** What Enter does. */
type OpenTarget =
  | { kind: 'page' }
  | { kind: 'run'; rowId: string }
  | { kind: 'table'; table: TableName; query: string };

/** One of the console's tables: where its rows come from and the texts around it. Methods for the reason given at `Table`. */
export interface TableView<R extends Item = Item> {
  table: Table<R>;
  /** What the rows are: `nodes`. */
  label: string;
  /** Live views to subscribe to while the table is visible. */
  liveViews: readonly (keyof LiveViews)[];
  /** Absent for the table of runs and jobs, whose rows the reducer merges. */
  rows?(state: ConsoleState): readonly R[];
  /** The rows depend on the runs of the snapshot. */
  readsRuns?: true;
  age(state: ConsoleState): DataAge;
  /** Number of rows that exist but are not listed. */
  unlisted?(state: ConsoleState): number;
  /** Replaces the age while data is being collected; null: it is not. */
  progress?(state: ConsoleState, theme: Theme): Span | null;
  /** Why there are no rows: none exist, or none are known. */
  emptyReason(state: ConsoleState): string;
  /** Facts about the selected row that may not fit into its columns. */
  details(row: R, state: ConsoleState): readonly (string | null | undefined)[];
  openTarget(row: R): OpenTarget;
  page?(row: R, state: ConsoleState, theme: Theme): readonly Line[];
  /** Totals, to the right of the age. */
  totals?(state: ConsoleState, theme: Theme): Span[];
  /** At most `height` lines above the table. */
  summary?(state: ConsoleState, height: number, theme: Theme): readonly Line[];
  /** What `y` copies: an id that other commands accept. */
  copyText(row: R): string;
}
