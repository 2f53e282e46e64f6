import type { JobsView, LogTail, RunView, WorkerSnapshot } from '../../worker/views/handle.js';
import type { Watched } from '../../worker/views/live-views.js';
import type { DoctorState } from './doctor-state.js';
import type { ImageDetails } from '../data/images.js';
import type { Context } from '../commands/keys.js';
import type { LogSearch } from './log-search.js';
import type { Details } from '../data/details.js';
import type { Deed } from '../commands/row-actions.js';
import type { JobScope, Row } from './rows.js';
import type { Item } from '../table/table.js';
import { selectedItem, targetItems, type TableState } from '../table/table-state.js';

/** The terminal, in cells. */
export interface Size {
  columns: number;
  rows: number;
}

/** What is asked about, as it was when it was asked: what is to be done, and to which rows. */
export interface ActionTarget {
  deed: Deed;
  rows: readonly [Row, ...Row[]];
  /** Marked rows that it cannot be about. */
  left: number;
}

/** What lies over the view and takes the keys. */
export type Overlay =
  | { kind: 'none' }
  | { kind: 'filter' }
  /** What can be done to the selected or marked rows. */
  | { kind: 'menu' }
  /** What is typed after `:`. */
  | { kind: 'command'; text: string }
  /** What is typed after `/` in a log or on a page. */
  | { kind: 'search'; text: string }
  | { kind: 'help'; top: number }
  | { kind: 'confirm'; target: ActionTarget }
  | { kind: 'quit' }
  /** Whether these runs are to be canceled first. */
  | { kind: 'quitCancel'; runs: readonly RunView[] };

/** Tables by the name that `:` knows. */
export const tableNames = ['jobs', 'nodes', 'partitions', 'history', 'images', 'doctor'] as const;
export type TableName = (typeof tableNames)[number];

/** `drilled`: the query that led here from another table; Esc takes it back together with the place. */
export interface TablePlace {
  view: TableName;
  drilled?: string;
}

/** Where the operator is. Pages are read line by line, from `top`. */
export type Place =
  | TablePlace
  /** Everything about one row of another table than that of runs and jobs. */
  | { view: 'item'; table: TableName; id: string; top: number }
  /** Everything about one row of the table. */
  | { view: 'job'; rowId: string; top: number }
  | { view: 'worker'; top: number };

/** A place that is read line by line. */
export type PagePlace = Exclude<Place, { view: TableName }>;

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
  /** Which log the worker is asked for: that of a run by its id, that of another job by `job:` and its id. Null: none. */
  logId: string | null;
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
/** What becomes of the worker when the console closes. `stopsOrKept`: as the operator wishes, it can run on as a service. */
export type Afterwards = 'stops' | 'stopsOrKept' | 'goesOn';

export interface ConsoleState {
  title: string | null;
  readOnly: boolean;
  afterwards: Afterwards;
  size: Size;
  /** Another program has the terminal: nothing is drawn. */
  lent: boolean;
  now: number;
  snapshot: WorkerSnapshot;
  /** What the open page about a row shows besides. */
  details: Details | null;
  /** How often the operator has wanted Slurm to be asked anew about the job of a page. */
  asked: number;
  /** The last that was heard of what only some views show; absent where no such view was opened yet. */
  watched: Partial<Watched>;
  imageDetails: ImageDetails;
  doctor: DoctorState;
  /** While the screen is frozen: the news that wait. Null: everything is shown as it comes. */
  frozen: { since: number; news: WorkerSnapshot; watched: Partial<Watched> } | null;
  place: Place;
  /** The places under this one: where Esc leads, the last one first. */
  trail: readonly Place[];
  /** Whose jobs the table of runs and jobs lists. */
  scope: JobScope;
  tables: Readonly<Record<TableName, TableState>>;
  overlay: Overlay;
  log: LogPane | null;
  /** What is searched for on the open page, and the line that was jumped to; null: nothing. */
  pageSearch: { search: LogSearch; hit: number | null } | null;
  wrap: boolean;
  /** Lines of a log with the time at which they were seen to come, where it is known. */
  stamps: boolean;
  message: Message | null;
}

/** What has the keyboard. */
export function contextOf({ overlay, log, place }: ConsoleState): Context {
  if (overlay.kind !== 'none') return overlay.kind;
  if (place.view === 'item') return place.table === 'doctor' ? 'check' : 'item';
  if (place.view === 'doctor') return 'doctor';
  if (!isTable(place)) return 'page';
  if (place.view !== 'jobs') return 'list';
  return log?.focused === true ? 'log' : 'table';
}

export function isTable(place: Place): place is TablePlace {
  return (tableNames as readonly string[]).includes(place.view);
}

/** The table that is on screen, or under the page that is. */
export function tableNameOf({ place, trail }: Pick<ConsoleState, 'place' | 'trail'>): TableName {
  return [...trail, place].findLast(isTable)?.view ?? 'jobs';
}

export function tableOf(state: ConsoleState): TableState {
  return state.tables[tableNameOf(state)];
}

/** The jobs that the table lists, and how old they are. Those of all users are other answers of Slurm than our own. */
export function jobsShown({
  scope,
  snapshot: { jobs },
  watched: { allJobs },
}: Pick<ConsoleState, 'scope' | 'snapshot' | 'watched'>): JobsView {
  if (scope !== 'all' || allJobs === undefined) return jobs;
  return allJobs.at === null ? { ...jobs, trouble: allJobs.trouble ?? jobs.trouble } : allJobs;
}

/** All rows of the table of runs and jobs, and the selected one. */
export function allRows({ tables }: ConsoleState): readonly Row[] {
  return tables.jobs.rows as readonly Row[];
}

export function selectedRow({ tables }: ConsoleState): Row | null {
  return selectedItem(tables.jobs) as Row | null;
}

/** The marked rows, else the selected one. */
export function targetRows({ tables }: ConsoleState): readonly Row[] {
  return targetItems(tables.jobs) as readonly Row[];
}

/** The rows that an action is about: that of the page, else the marked ones, else the selected one. */
export function actionRows(state: ConsoleState): readonly Row[] {
  const { view } = state.place;
  if (view === 'job') {
    const row = pageRow(state);
    return row === null ? [] : [row];
  }
  return view === 'jobs' ? targetRows(state) : [];
}

/** What a page about a row of another table is about; null where it is gone. */
export function pageItem({ place, tables }: ConsoleState): Item | null {
  return place.view === 'item' ? (tables[place.table].rows.find(({ id }) => id === place.id) ?? null) : null;
}

/** The row that a page is about; null where it is gone. */
export function pageRow(state: ConsoleState): Row | null {
  const { place } = state;
  if (place.view !== 'job') return null;
  // the table of runs and jobs keeps the last finished ones only
  const known = [...allRows(state), ...(state.tables.history.rows as readonly Row[])];
  return known.find(({ id }) => id === place.rowId) ?? null;
}
