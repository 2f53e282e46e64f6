import type { LogTail, RunView, WorkerSnapshot } from '../worker/handle.js';
import type { ImageDetail, ImageRow, JobDetail, RunDetail, Watched } from '../worker/watched.js';
import type { Details } from './details.js';
import { noDoctorYet, reduceDoctor, type DoctorAction } from './doctor.js';
import { layoutScreen, squeezedTable } from './layout.js';
import type { LogSearch } from './log-search.js';
import { followSelection, followToggled, lineFound, logStepped, openLog, withTail } from './log-reducer.js';
import { noPreferences, preferredTables, type Preferences } from './preferences.js';
import { mergeRows, type JobScope, type Row } from './rows.js';
import {
  isTable,
  jobsShown,
  tableNames,
  tableNameOf,
  tableOf,
  type ActionTarget,
  type Afterwards,
  type ConsoleState,
  type Message,
  type PagePlace,
  type Place,
  type Size,
  type TableName,
} from './state.js';
import { pageTop, stepFrom, type Step } from './step.js';
import { cleared, reduceTable, type TableAction } from './table/table-reducer.js';
import { moveTo, settleTable, type TableState } from './table/table-state.js';
import { helpLines } from './views/help.js';
import { pageLines } from './views/page.js';
import { tableViews } from './views/tables.js';

export type Action =
  | TableAction
  | DoctorAction
  | { type: 'snapshot'; snapshot: WorkerSnapshot; now: number }
  | { type: 'watched'; what: keyof Watched; view: Watched[keyof Watched]; now: number }
  | { type: 'runDetailCame'; rowId: string; detail: RunDetail | null }
  | { type: 'jobDetailCame'; rowId: string; detail: JobDetail }
  /** Slurm is to be asked anew about the job of the page. */
  | { type: 'detailsAsked' }
  | { type: 'scopeChosen'; scope: JobScope }
  | { type: 'imageDetailCame'; image: ImageRow; detail: ImageDetail }
  | { type: 'tick'; now: number }
  | { type: 'resized'; size: Size }
  | { type: 'lent'; lent: boolean }
  | { type: 'tail'; logId: string; tail: LogTail }
  | { type: 'step'; step: Step }
  /** To a view of its own; with `deeper` to something that belongs to this one, to which Esc then leads back. */
  | { type: 'went'; place: Place; deeper?: true }
  | { type: 'filterOpened' }
  | { type: 'filterKept' }
  /** `text`: what is typed already. */
  | { type: 'commandOpened'; text?: string }
  /** The line of a command or of a search. */
  | { type: 'lineSet'; text: string }
  | { type: 'searchOpened' }
  | { type: 'searched'; search: LogSearch | null }
  | { type: 'lineFound'; line: number }
  | { type: 'wholeToggled' }
  | { type: 'freezeToggled' }
  | { type: 'logToggled' }
  | { type: 'focusToggled' }
  | { type: 'followToggled' }
  | { type: 'wrapToggled' }
  | { type: 'stampsToggled' }
  | { type: 'helpOpened' }
  | { type: 'menuOpened' }
  | { type: 'actionAsked'; target: ActionTarget }
  | { type: 'quitAsked' }
  | { type: 'quitCancelAsked'; runs: readonly RunView[] }
  | { type: 'back' }
  | { type: 'said'; message: Message }
  | { type: 'keyPressed' };

export interface Beginning {
  snapshot: WorkerSnapshot;
  now: number;
  size: Size;
  title?: string;
  readOnly?: boolean;
  afterwards?: Afterwards;
  /** As the operator left it the last time. */
  preferences?: Preferences;
}

export function initialState(beginning: Beginning): ConsoleState {
  const { snapshot, now, size, title, readOnly = false, afterwards = 'stops' } = beginning;
  const { preferences = noPreferences } = beginning;
  const { scope, wrap, stamps } = preferences;
  const tables = preferredTables(preferences);
  return settle({
    title: title ?? null,
    readOnly,
    afterwards,
    size,
    lent: false,
    now,
    snapshot,
    details: null,
    asked: 0,
    watched: {},
    imageDetails: new Map(),
    doctor: noDoctorYet,
    frozen: null,
    place: { view: 'jobs' },
    trail: [],
    scope,
    tables: {
      ...tables,
      jobs: { ...tables.jobs, rows: mergeRows(snapshot, [], { scope, jobs: snapshot.jobs }) },
    },
    overlay: { kind: 'none' },
    log: null,
    pageSearch: null,
    wrap,
    stamps,
    message: null,
  });
}

/** What an event makes of a state; the same object where it changes nothing. */
export function reduce(state: ConsoleState, action: Action): ConsoleState {
  switch (action.type) {
    case 'snapshot':
      return snapshotCame(state, action.snapshot, action.now);
    case 'watched':
      return watchedCame(state, { ...heard(state), [action.what]: action.view }, action.now);
    case 'runDetailCame':
      return settle({
        ...state,
        details: { ...detailsFor(state, action.rowId), run: action.detail },
      });
    case 'jobDetailCame':
      return settle({ ...state, details: jobDetailCame(state, action.rowId, action.detail) });
    case 'scopeChosen':
      return settle(listed({ ...state, scope: action.scope }, state));
    case 'detailsAsked':
      return { ...state, asked: state.asked + 1 };
    case 'imageDetailCame': {
      const { file, modifiedAt } = action.image;
      const imageDetails = new Map(state.imageDetails).set(file, { modifiedAt, detail: action.detail });
      return settle(withRows({ ...state, imageDetails }, ['images']));
    }
    case 'doctorBegan':
    case 'doctorFound':
    case 'doctorEnded':
      return settle(withRows({ ...state, doctor: reduceDoctor(state.doctor, action) }, ['doctor']));
    case 'tick': {
      const until = state.message?.until ?? null;
      const over = until !== null && until <= action.now;
      return change(state, over ? { now: action.now, message: null } : { now: action.now });
    }
    case 'resized': {
      const { columns, rows } = action.size;
      if (columns === state.size.columns && rows === state.size.rows) return state;
      return settle({ ...state, size: action.size });
    }
    case 'lent':
      return { ...state, lent: action.lent };
    case 'tail':
      return state.log?.logId === action.logId ? withTail(state, state.log, action.tail) : state;
    case 'step':
      return stepped(state, action.step);
    case 'went':
      return went(state, action.place, action.deeper === true);
    case 'filterOpened':
      return settle({ ...state, overlay: { kind: 'filter' } });
    case 'filterKept':
      return { ...state, overlay: { kind: 'none' } };
    case 'commandOpened':
      return { ...state, overlay: { kind: 'command', text: action.text ?? '' } };
    case 'lineSet': {
      const { overlay } = state;
      if (overlay.kind !== 'command' && overlay.kind !== 'search') return state;
      return { ...state, overlay: { ...overlay, text: action.text.slice(0, 200) } };
    }
    case 'searchOpened':
      return { ...state, overlay: { kind: 'search', text: '' } };
    case 'searched':
      return searched(state, action.search);
    case 'lineFound':
      return isTable(state.place)
        ? lineFound(state, action.line)
        : pageLineFound(state, state.place, action.line);
    case 'wholeToggled':
      return state.log === null
        ? state
        : settle({ ...state, log: { ...state.log, whole: !state.log.whole } });
    case 'filterTyped':
    case 'filterErased':
    case 'filterSet':
    case 'sortedBy':
    case 'sortedNext':
    case 'markToggled':
    case 'rangeMarked':
    case 'allMarked':
    case 'unmarked':
    case 'wideToggled':
    case 'errorsToggled':
    case 'columnsChosen':
      return withTable(state, (table) =>
        reduceTable(table, action, { table: tableViewOf(state).table, height: squeezedTable(state) }),
      );
    case 'freezeToggled':
      return state.frozen === null
        ? { ...state, frozen: { since: state.now, news: state.snapshot, watched: state.watched } }
        : thawed({ ...state, frozen: null }, state.frozen);
    case 'logToggled':
      return state.log === null ? settle(openLog(state)) : settle({ ...state, log: null });
    case 'focusToggled':
      // A table that has the keyboard is in sight.
      return state.log === null
        ? state
        : settle({ ...state, log: { ...state.log, focused: !state.log.focused, whole: false } });
    case 'followToggled':
      return followToggled(state);
    case 'wrapToggled':
      return { ...state, wrap: !state.wrap };
    case 'stampsToggled':
      return { ...state, stamps: !state.stamps };
    case 'helpOpened':
      return settle({ ...state, overlay: { kind: 'help', top: 0 } });
    case 'menuOpened':
      return settle({ ...state, overlay: { kind: 'menu' } });
    case 'actionAsked':
      return settle({ ...state, overlay: { kind: 'confirm', target: action.target } });
    case 'quitAsked':
      return settle({ ...state, overlay: { kind: 'quit' } });
    case 'quitCancelAsked':
      return settle({ ...state, overlay: { kind: 'quitCancel', runs: action.runs } });
    case 'back':
      return settle(back(state));
    case 'said':
      return { ...state, message: action.message };
    case 'keyPressed':
      return state.message?.until === null ? { ...state, message: null } : state;
  }
}

/** `state` with some fields changed, or itself where they have those values already. */
function change(state: ConsoleState, changes: Partial<ConsoleState>): ConsoleState {
  const names = Object.keys(changes) as (keyof ConsoleState)[];
  return names.every((name) => state[name] === changes[name]) ? state : { ...state, ...changes };
}

function snapshotCame(state: ConsoleState, snapshot: WorkerSnapshot, now: number): ConsoleState {
  if (state.frozen !== null) return { ...state, now, frozen: { ...state.frozen, news: snapshot } };
  const next = listed(change(state, { snapshot, now }), state);
  const name = tableNameOf(next);
  const tellsOfRuns = tableViews[name].readsRuns === true && snapshot.runs !== state.snapshot.runs;
  return settle(tellsOfRuns ? withRows(next, [name]) : next);
}

/** With the rows of runs and jobs anew, where what they come from is not what it was. */
function listed(state: ConsoleState, before: ConsoleState): ConsoleState {
  const jobs = jobsShown(state);
  const unchanged =
    state.snapshot.runs === before.snapshot.runs &&
    jobs.rows === jobsShown(before).rows &&
    state.scope === before.scope;
  const table = state.tables.jobs;
  const rows = unchanged
    ? table.rows
    : mergeRows(state.snapshot, table.rows as readonly Row[], { scope: state.scope, jobs });
  return rows === table.rows ? state : { ...state, tables: { ...state.tables, jobs: { ...table, rows } } };
}

/** What is known by now, whether or not it is shown. */
function heard({ frozen, watched }: ConsoleState): Partial<Watched> {
  return frozen?.watched ?? watched;
}

function watchedCame(state: ConsoleState, watched: Partial<Watched>, now: number): ConsoleState {
  if (state.frozen !== null) return { ...state, now, frozen: { ...state.frozen, watched } };
  const news = tableNames.filter((name) =>
    tableViews[name].needs.some((what) => watched[what] !== state.watched[what]),
  );
  return settle(listed(withRows({ ...state, now, watched }, news), state));
}

/** These tables with the rows that they have by now. */
function withRows(state: ConsoleState, names: readonly TableName[]): ConsoleState {
  const changed = names.map((name) => {
    const before = state.tables[name];
    return [name, { ...before, rows: tableViews[name].rows?.(state) ?? before.rows }] as const;
  });
  return { ...state, tables: { ...state.tables, ...Object.fromEntries(changed) } };
}

function thawed(state: ConsoleState, { news, watched }: NonNullable<ConsoleState['frozen']>): ConsoleState {
  return snapshotCame(watchedCame(state, watched, state.now), news, state.now);
}

/** What the table on screen, or under the page that is, shows. */
function tableViewOf(state: ConsoleState): (typeof tableViews)[keyof typeof tableViews] {
  return tableViews[tableNameOf(state)];
}

function changeTable(state: ConsoleState, table: TableState): ConsoleState {
  return table === tableOf(state)
    ? state
    : { ...state, tables: { ...state.tables, [tableNameOf(state)]: table } };
}

function withTable(state: ConsoleState, alter: (table: TableState) => TableState): ConsoleState {
  return settle(changeTable(state, alter(tableOf(state))));
}

/** After rows, filter, size or panes changed: what the table shows, and the log that goes with its selection. */
function settle(state: ConsoleState): ConsoleState {
  const { table, age } = tableViewOf(state);
  const settled = settleTable(tableOf(state), {
    table,
    context: { now: state.now, age: age(state) },
    height: squeezedTable(state),
    held: state.log !== null || !isTable(state.place) || !['none', 'filter'].includes(state.overlay.kind),
  });
  return followSelection(changeTable(state, settled));
}

function searched(state: ConsoleState, search: LogSearch | null): ConsoleState {
  if (!isTable(state.place)) return { ...state, pageSearch: search === null ? null : { search, hit: null } };
  return state.log === null ? state : { ...state, log: { ...state.log, search, hit: null } };
}

function pageLineFound(state: ConsoleState, place: PagePlace, line: number): ConsoleState {
  const { page } = layoutScreen(state);
  const inSight = line >= place.top && line < place.top + page;
  const last = Math.max(0, pageLines(state).length - page);
  const top = inSight ? place.top : Math.min(last, Math.max(0, line - Math.floor(page / 2)));
  const pageSearch = state.pageSearch === null ? null : { ...state.pageSearch, hit: line };
  return { ...state, place: { ...place, top }, pageSearch };
}

function detailsFor({ details }: ConsoleState, rowId: string): Details {
  return details?.rowId === rowId ? details : { rowId, run: null, job: null };
}

/** While Slurm is silent, or has forgotten the job, what it said last stays. */
function jobDetailCame(state: ConsoleState, rowId: string, detail: JobDetail): Details {
  const before = detailsFor(state, rowId);
  const kept = detail.at === null && before.job?.jobId === detail.jobId ? before.job : null;
  return { ...before, job: kept === null ? detail : { ...kept, trouble: detail.trouble } };
}

function went(state: ConsoleState, place: Place, deeper: boolean): ConsoleState {
  const there: ConsoleState = {
    ...(isTable(place) ? withRows(state, [place.view]) : state),
    place,
    trail: deeper ? [...state.trail, state.place] : [],
    overlay: { kind: 'none' },
    log: null,
    pageSearch: null,
  };
  const drilled = isTable(place) ? place.drilled : undefined;
  return drilled === undefined ? settle(there) : reduce(there, { type: 'filterSet', text: drilled });
}

/** One thing after another: what lies over the view, the log, the page, the filter, the marks. */
function back(state: ConsoleState): ConsoleState {
  const { overlay, place } = state;
  switch (overlay.kind) {
    case 'filter':
      return reduce({ ...state, overlay: { kind: 'none' } }, { type: 'filterSet', text: '' });
    case 'command':
    case 'search':
    case 'help':
    case 'menu':
    case 'confirm':
    case 'quit':
    case 'quitCancel':
      return { ...state, overlay: { kind: 'none' } };
    case 'none':
      break;
  }
  if (state.log !== null) {
    const { search, whole } = state.log;
    if (search !== null) return { ...state, log: { ...state.log, search: null, hit: null } };
    if (whole) return { ...state, log: { ...state.log, whole: false } };
    return { ...state, log: null };
  }
  if (isTable(place)) {
    const before = tableOf(state);
    const table = cleared(before, tableViewOf(state).table);
    const leaves = place.drilled !== undefined && before.query.text === place.drilled;
    if (table !== before && !leaves) return changeTable(state, table);
    if (place.view === 'jobs') return state;
    if (leaves) return popped(changeTable(state, table));
  }
  if (state.pageSearch !== null) return { ...state, pageSearch: null };
  return popped(state);
}

function popped(state: ConsoleState): ConsoleState {
  return { ...state, place: state.trail.at(-1) ?? { view: 'jobs' }, trail: state.trail.slice(0, -1) };
}

function stepped(state: ConsoleState, step: Step): ConsoleState {
  const { overlay, log, place } = state;
  const layout = layoutScreen(state);
  if (overlay.kind === 'help') {
    const top = pageTop(overlay.top, step, layout.help, helpLines(state).length);
    return top === overlay.top ? state : { ...state, overlay: { kind: 'help', top } };
  }
  if (!isTable(place)) {
    const top = pageTop(place.top, step, layout.page, pageLines(state).length);
    return top === place.top ? state : { ...state, place: { ...place, top } };
  }
  if (log?.focused === true) return logStepped(state, log, step);
  const table = tableOf(state);
  const index = stepFrom(table.position.index, step, layout.table, table.shown.length - 1);
  return followSelection(changeTable(state, moveTo(table, index, layout.table)));
}
