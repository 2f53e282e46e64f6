import type { LogTail, WorkerSnapshot } from '../worker/handle.js';
import type { Context } from './keys.js';
import type { LogSearch } from './log-search.js';
import type { Row } from './rows.js';
import { selectedItem, targetItems, type TableState } from './table/table-state.js';

/** The terminal, in cells. */
export interface Size {
  columns: number;
  rows: number;
}

/** What `x` would end, as it was when it was asked: one row, or several marked ones. */
export interface CancelTarget {
  rows: readonly [Row, ...Row[]];
}

/** What lies over the view and takes the keys. */
export type Overlay =
  | { kind: 'none' }
  | { kind: 'filter' }
  /** What is typed after `:`. */
  | { kind: 'command'; text: string }
  /** What is typed after `/` in a log. */
  | { kind: 'search'; text: string }
  | { kind: 'help'; top: number }
  | { kind: 'cancel'; target: CancelTarget }
  | { kind: 'quit' };

/** Views by the name that `:` knows. */
export const viewNames = ['jobs', 'job', 'worker'] as const;
export type ViewName = (typeof viewNames)[number];

/** Where the operator is. Pages are read line by line, from `top`. */
export type Place =
  | { view: 'jobs' }
  /** Everything about one row of the table. */
  | { view: 'job'; rowId: string; top: number }
  | { view: 'worker'; top: number };

/** An answer in the message line. An error stays until a key is pressed, anything else until its time is over. */
export interface Message {
  tone: 'good' | 'warning' | 'bad';
  text: string;
  /** Milliseconds since the epoch; null: stays until a key. */
  until: number | null;
}

/** The open log pane. It shows the log of the selected row. */
export interface LogPane {
  rowId: string | null;
  /** Null: the selected row is a job of which we follow no log. */
  runId: string | null;
  /** Null until the first lines came. */
  tail: LogTail | null;
  /**
   * Where the view ends: the number of the line after the last one shown, counted from the very first line that was ever
   * in the tail, so that it means the same line while lines are added and dropped. Null: the end is followed.
   */
  end: number | null;
  focused: boolean;
  search: LogSearch | null;
  /** The line that was jumped to, numbered as `end`; null: none. */
  hit: number | null;
  /** The log has the room of the table as well. */
  whole: boolean;
}

/** Everything that a frame is made of. */
export interface ConsoleState {
  title: string | null;
  readOnly: boolean;
  size: Size;
  now: number;
  snapshot: WorkerSnapshot;
  /** While the screen is frozen: the news that wait. Null: everything is shown as it comes. */
  frozen: { since: number; news: WorkerSnapshot } | null;
  place: Place;
  /** The table of runs and jobs. */
  table: TableState;
  overlay: Overlay;
  log: LogPane | null;
  wrap: boolean;
  message: Message | null;
}

/** What has the keyboard. */
export function contextOf({ overlay, log, place }: ConsoleState): Context {
  if (overlay.kind !== 'none') return overlay.kind;
  if (place.view !== 'jobs') return 'page';
  return log?.focused === true ? 'log' : 'table';
}

/** All rows of the table, those that it shows, and the selected one. */
export function allRows({ table }: ConsoleState): readonly Row[] {
  return table.rows as readonly Row[];
}

export function selectedRow({ table }: ConsoleState): Row | null {
  return selectedItem(table) as Row | null;
}

/** The rows that an action is about: the marked ones, else the selected one. */
export function targetRows({ table }: ConsoleState): readonly Row[] {
  return targetItems(table) as readonly Row[];
}

/** The row that a page is about; null where it is gone. */
export function pageRow(state: ConsoleState): Row | null {
  const { place } = state;
  return place.view === 'job' ? (allRows(state).find(({ id }) => id === place.rowId) ?? null) : null;
}
