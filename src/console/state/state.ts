import type { NodeChange } from '../../slurm/commands/change-nodes.js';
import type { NodeRow } from '../../slurm/commands/sinfo.js';
import type { Batch } from '../../worker/batches/summary.js';
import type { WorkerAction } from '../../worker/actions/action.js';
import type { JobsView, LogTail, RunView, WorkerSnapshot } from '../../worker/views/handle.js';
import type {
  ImageDetail,
  ImageRow,
  JobDetail,
  JobScript,
  RunDetail,
  LiveViews,
} from '../../worker/views/live-views.js';
import type { DataAge } from '../table/column.js';
import type { Item } from '../table/table.js';
import { selectedItem, targetItems, type TableState } from '../table/table-state.js';
import type { DoctorState } from './doctor-state.js';
import type { LogSearch } from './log-search.js';
import type { JobScope, Row } from './rows.js';
import type { TableRows } from './table-rows.js';
import type { ThemeName } from '../terminal/theme.js';

/** What can have the keyboard: it decides what a key means. */
export const contexts = [
  /** The table of runs and jobs. */
  'table',
  /** Any other table. */
  'list',
  /** The table of batches. */
  'batches',
  /** The table of nodes. */
  'nodes',
  /** The table of doctor checks, and the page about one. */
  'doctor',
  'check',
  /** The page about a row of any other table. */
  'item',
  'log',
  'page',
  'help',
  /** The text that the help is searched for. */
  'helpSearch',
  'filter',
  'command',
  'search',
  'menu',
  'confirm',
  'quit',
  'quitCancel',
  'start',
  'pause',
] as const;
export type Context = (typeof contexts)[number];

/** Terminal size in cells. */
export interface Size {
  columns: number;
  rows: number;
}

type WithoutTargets<A> = A extends WorkerAction ? Omit<A, 'runs' | 'jobs'> : never;

/** A worker action without the runs and jobs that it applies to. */
export type ActionRequest = WithoutTargets<WorkerAction>;

/** An action on slides of a batch. */
export interface BatchTarget {
  request: Extract<ActionRequest, { kind: 'cancel' | 'retry' }>;
  batch: Batch;
  /** Ids of the runs that it applies to. */
  runs: readonly string[];
}

/** A change that awaits confirmation, with the nodes as they were when the question appeared. */
export interface NodeTarget {
  change: NodeChange;
  nodes: readonly [NodeRow, ...NodeRow[]];
  /** Number of marked nodes that it does not apply to. */
  skipped: number;
}

/** The action that awaits confirmation, with the rows as they were when the question appeared. */
export interface ActionTarget {
  request: ActionRequest;
  rows: readonly [Row, ...Row[]];
  /** Number of marked rows that the action does not apply to. */
  skipped: number;
}

/** What is drawn over the view and receives the keys. */
type Overlay =
  | { kind: 'none' }
  | { kind: 'filter' }
  /** The menu of actions for the selected or marked rows. */
  | { kind: 'menu'; index: number }
  /** The text typed after `:`. */
  /** `index`: the highlighted one of the matching commands; null: none was chosen. */
  | { kind: 'command'; text: string; index: number | null }
  /** The text typed after `/` in a log or on a page. */
  | { kind: 'search'; text: string }
  /** `query`: only entries with this text; `typing`: it is being typed. */
  | { kind: 'help'; top: number; query: string; typing: boolean }
  | { kind: 'confirm'; target: ActionTarget | BatchTarget | NodeTarget }
  | { kind: 'quit' }
  /** Asks whether to cancel these runs before quitting. */
  | { kind: 'quitCancel'; runs: readonly RunView[] }
  /** Asks whether to start a worker as a service. */
  | { kind: 'start' }
  /** Asks whether to accept no more tasks. */
  | { kind: 'pause' };

/** Tables by their `:` command. */
export const tableNames = ['jobs', 'batches', 'nodes', 'partitions', 'history', 'images', 'doctor'] as const;
export type TableName = (typeof tableNames)[number];

/** `drillDownQuery`: the filter that another table opened this one with. Esc drops it and goes back. */
interface TablePlace {
  view: TableName;
  drillDownQuery?: string;
}

/** The current view. Pages scroll line by line; `top` is the first visible line. */
export type Place =
  | TablePlace
  /** The page about a row of any table except runs and jobs. */
  | { view: 'item'; table: TableName; id: string; top: number }
  /** The page about a run or job. */
  | { view: 'job'; rowId: string; top: number }
  /** The page with the batch script of a job. */
  | { view: 'script'; jobId: string; top: number }
  /** The page with the statistics of Slurm's controller. */
  | { view: 'scheduler'; top: number }
  /** The page with the user's jobs in Slurm's accounting. */
  | { view: 'accounting'; top: number }
  | { view: 'worker'; top: number };

export type PagePlace = Exclude<Place, { view: TableName }>;

/** Text for the message line. Errors stay until a key is pressed, everything else until a time. */
export interface Message {
  tone: 'good' | 'warning' | 'bad';
  text: string;
  /** Milliseconds since the epoch; null: until the next key. */
  until: number | null;
}

/** The open log pane. It shows the log of the selected row. */
export interface LogPane {
  rowId: string | null;
  /** It shows the standard error instead, where that is another file. */
  isStderr: boolean;
  /** The log to request from the worker: a run id, or `job:` or `stderr:` and a job id. Null: none. */
  logId: string | null;
  /** Null until the first lines arrive. */
  tail: LogTail | null;
  /**
   * Number of the line after the last visible one; null follows the end. Lines are counted from the first one that was
   * ever in the tail, so the number keeps its meaning while lines are added and dropped.
   */
  end: number | null;
  focused: boolean;
  search: LogSearch | null;
  /** The line of the current search hit, numbered like `end`. */
  hit: number | null;
  /** The log covers the table. */
  fullScreen: boolean;
}

/**
 * What happens to the worker when the console closes. `endsOrDetaches`: the operator decides whether it ends or continues
 * as a service.
 */
export type WorkerLifetime = 'ends' | 'endsOrDetaches' | 'continues';

/** What the page about a run or job shows besides its row; null: not received yet. */
export interface RowDetails {
  rowId: string;
  run: RunDetail | null;
  job: JobDetail | null;
}

/** Metadata of image files by file name. An entry is outdated once the file's modification time differs. */
type ImageDetails = ReadonlyMap<string, { modifiedAt: number; detail: ImageDetail }>;

/** The metadata of a file; null if it is unknown or the file has been replaced since. */
export function knownDetail(details: ImageDetails, { file, modifiedAt }: ImageRow): ImageDetail | null {
  const known = details.get(file);
  return known?.modifiedAt === modifiedAt ? known.detail : null;
}

/** Everything that a frame is drawn from. */
export interface ConsoleState {
  title: string | null;
  readOnly: boolean;
  workerLifetime: WorkerLifetime;
  /** A worker can be started from here. */
  canStart: boolean;
  size: Size;
  /** Another program owns the terminal: nothing is drawn. */
  suspended: boolean;
  now: number;
  snapshot: WorkerSnapshot;
  details: RowDetails | null;
  /** Incremented each time the operator refreshes the page about a job. */
  refreshCount: number;
  /** The latest data of views that are only subscribed to while visible; absent until first opened. */
  liveViews: Partial<LiveViews>;
  /** The script of the page that was last opened; null: not received yet. */
  jobScript: JobScript | null;
  /** Slurm's refusal to change nodes, because this user is not allowed to; null: not refused so far. */
  nodesRefused: string | null;
  imageDetails: ImageDetails;
  doctor: DoctorState;
  /** The newest data, held back while the screen is frozen; null: not frozen. */
  frozen: { since: number; snapshot: WorkerSnapshot; liveViews: Partial<LiveViews> } | null;
  place: Place;
  /** Where Esc leads, the last place first. */
  backStack: readonly Place[];
  /** Whose jobs the table of runs and jobs lists. */
  scope: JobScope;
  tables: { readonly [Name in TableName]: TableState<TableRows[Name]> };
  overlay: Overlay;
  log: LogPane | null;
  /** The search on the open page and the line of its current hit. */
  pageSearch: { search: LogSearch; hit: number | null } | null;
  wrap: boolean;
  /** Log lines show when they were first seen, where that is known. */
  timestamps: boolean;
  message: Message | null;
  /** The pane beside a table shows the selected row, on a terminal that is wide enough. */
  pane: boolean;
  /** The last lines of the log of the row in the pane. */
  peek: { logId: string; tail: LogTail } | null;
  /** The number of runs in flight, sampled regularly. */
  pulse: { at: number; samples: readonly number[] };
  /** Clicks and the wheel are reported; the terminal then selects text only with Shift. */
  mouse: boolean;
  /** Null: what suits the terminal. */
  theme: ThemeName | null;
  /** The theme that suits the terminal. */
  defaultTheme: ThemeName;
}

/** What has the keyboard. */
export function contextOf(state: ConsoleState): Context {
  const { overlay } = state;
  if (overlay.kind === 'help' && overlay.typing) return 'helpSearch';
  return overlay.kind === 'none' ? contextBelow(state) : overlay.kind;
}

/** What has the keyboard when nothing is drawn over the view. */
export function contextBelow({ log, place }: ConsoleState): Context {
  if (place.view === 'item') return place.table === 'doctor' ? 'check' : 'item';
  if (place.view === 'doctor' || place.view === 'batches' || place.view === 'nodes') return place.view;
  if (!isTable(place)) return 'page';
  if (place.view !== 'jobs') return 'list';
  return log?.focused === true ? 'log' : 'table';
}

export function isTable(place: Place): place is TablePlace {
  return !['item', 'job', 'script', 'scheduler', 'accounting', 'worker'].includes(place.view);
}

/** The table on screen, or the one below the open page. */
export function tableNameOf({ place, backStack }: Pick<ConsoleState, 'place' | 'backStack'>): TableName {
  return [...backStack, place].findLast(isTable)?.view ?? 'jobs';
}

export function tableOf(state: ConsoleState): TableState {
  return state.tables[tableNameOf(state)];
}

/** The attached worker has ended or does not respond: since then, nothing on the screen is current. */
export interface LostWorker {
  pid: number;
  /** Its process has ended; otherwise it does not respond. */
  ended: boolean;
  /** Time of its last message. */
  at: number;
  problem: string;
}

/** Null while the worker is connected, or if the console is not attached to one. */
export function lostWorker({ link }: Pick<WorkerSnapshot, 'link'>): LostWorker | null {
  if (link.kind !== 'socket' || link.problem === null) return null;
  const { pid, ended, at, problem } = link;
  return { pid, ended, at, problem };
}

/** Whether no worker runs for this profile, as far as is known: one can be started. */
export function isWorkerMissing({ link }: Pick<WorkerSnapshot, 'link'>): boolean {
  return link.kind === 'none' ? link.problem === null : link.kind === 'socket' && link.ended;
}

/** The jobs that the table lists, with their age. Jobs of all users are a live view with an age of its own. */
export function listedJobs({
  scope,
  snapshot,
  liveViews: { allJobs },
}: Pick<ConsoleState, 'scope' | 'snapshot' | 'liveViews'>): JobsView & Pick<DataAge, 'lostAt'> {
  const { jobs } = snapshot;
  const lost = lostWorker(snapshot);
  if (lost !== null) {
    const last = scope === 'all' && allJobs !== undefined && allJobs.at !== null ? allJobs : jobs;
    const problem = lost.ended ? 'the worker has ended' : 'the worker is not responding';
    return { ...last, problem, lostAt: lost.at };
  }
  if (scope !== 'all' || allJobs === undefined) return jobs;
  return allJobs.at === null ? { ...jobs, problem: allJobs.problem ?? jobs.problem } : allJobs;
}

export function selectedRow({ tables }: ConsoleState): Row | null {
  return selectedItem(tables.jobs);
}

/** The id of a row's log for the worker: a run id, or `job:` and a job id, which is the row's own id. */
export function logIdOf(row: Row | null): string | null {
  return row?.run?.id ?? row?.id ?? null;
}

/** The id of a row's job; null if it has none. */
export function jobIdOf(row: Row | null): string | null {
  return row?.job?.id ?? row?.run?.jobId ?? null;
}

/** The rows that an action applies to: the page's row, else the marked rows, else the selected row. */
export function actionRows(state: ConsoleState): readonly Row[] {
  const { view } = state.place;
  if (view === 'job') {
    const row = pageRow(state);
    return row === null ? [] : [row];
  }
  return view === 'jobs' ? targetItems(state.tables.jobs) : [];
}

/** Whether the table of nodes is shown, or the page about one. */
export function isNodePlace({ place }: Pick<ConsoleState, 'place'>): boolean {
  return place.view === 'nodes' || (place.view === 'item' && place.table === 'nodes');
}

/** The nodes that a change applies to: the page's node, else the marked ones, else the selected one. */
export function targetNodes({ place, tables: { nodes } }: Pick<ConsoleState, 'place' | 'tables'>): NodeRow[] {
  if (place.view === 'nodes') return targetItems(nodes).map(({ node }) => node);
  if (place.view !== 'item' || place.table !== 'nodes') return [];
  return nodes.rows.filter(({ id }) => id === place.id).map(({ node }) => node);
}

/** The row that an item page is about; null if it is gone. */
export function pageItem({ place, tables }: ConsoleState): Item | null {
  if (place.view !== 'item') return null;
  const { rows }: TableState = tables[place.table];
  return rows.find(({ id }) => id === place.id) ?? null;
}

/** The run or job that a page is about; null if it is gone. */
export function pageRow({ place, tables }: ConsoleState): Row | null {
  if (place.view !== 'job') return null;
  // the table of runs and jobs keeps only the most recently finished ones
  const rows: readonly Row[] = [...tables.jobs.rows, ...tables.history.rows];
  return rows.find(({ id }) => id === place.rowId) ?? null;
}
