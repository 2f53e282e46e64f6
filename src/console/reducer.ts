import type { LogTail, WorkerSnapshot } from '../worker/handle.js';
import { layoutScreen, squeezedTable } from './layout.js';
import type { LogSearch } from './log-search.js';
import { endFor, firstEnd, logRows, tailEnd, type LogFrame } from './log-window.js';
import { mergeRows, type Row } from './rows.js';
import {
  selectedRow,
  type CancelTarget,
  type ConsoleState,
  type LogPane,
  type Message,
  type Place,
  type Size,
} from './state.js';
import type { ChosenColumns } from './table/column.js';
import {
  emptyTable,
  markRange,
  moveTo,
  settleTable,
  sortBy,
  sortNext,
  toggleAll,
  toggleMark,
  withQuery,
  type TableState,
} from './table/table-state.js';
import { helpLines } from './views/help.js';
import { jobsTable } from './views/jobs.js';
import { pageLines } from './views/page.js';

export type Step = 'up' | 'down' | 'pageUp' | 'pageDown' | 'first' | 'last';

export type Action =
  | { type: 'snapshot'; snapshot: WorkerSnapshot; now: number }
  | { type: 'tick'; now: number }
  | { type: 'resized'; size: Size }
  | { type: 'tail'; runId: string; tail: LogTail }
  | { type: 'step'; step: Step }
  | { type: 'went'; place: Place }
  | { type: 'filterOpened' }
  | { type: 'filterTyped'; text: string }
  | { type: 'filterErased' }
  | { type: 'filterKept' }
  | { type: 'filterSet'; text: string }
  | { type: 'commandOpened' }
  /** The line of a command or of a search. */
  | { type: 'lineSet'; text: string }
  | { type: 'searchOpened' }
  | { type: 'searched'; search: LogSearch | null }
  | { type: 'lineFound'; line: number }
  | { type: 'wholeToggled' }
  | { type: 'sortedBy'; column: string | null; descending?: boolean }
  | { type: 'sortedNext' }
  | { type: 'markToggled' }
  | { type: 'rangeMarked' }
  | { type: 'allMarked' }
  | { type: 'wideToggled' }
  | { type: 'errorsToggled' }
  | { type: 'columnsChosen'; columns: ChosenColumns }
  | { type: 'freezeToggled' }
  | { type: 'logToggled' }
  | { type: 'focusToggled' }
  | { type: 'followToggled' }
  | { type: 'wrapToggled' }
  | { type: 'helpOpened' }
  | { type: 'cancelAsked'; target: CancelTarget }
  | { type: 'quitAsked' }
  | { type: 'back' }
  | { type: 'said'; message: Message }
  | { type: 'keyPressed' };

export interface Beginning {
  snapshot: WorkerSnapshot;
  now: number;
  size: Size;
  title?: string;
  readOnly?: boolean;
  /** As the operator left the table. */
  columns?: ChosenColumns;
}

export function initialState(beginning: Beginning): ConsoleState {
  const { snapshot, now, size, title, readOnly = false, columns = null } = beginning;
  return settle({
    title: title ?? null,
    readOnly,
    size,
    now,
    snapshot,
    frozen: null,
    place: { view: 'jobs' },
    table: { ...emptyTable, columns, rows: mergeRows(snapshot, []) },
    overlay: { kind: 'none' },
    log: null,
    wrap: false,
    message: null,
  });
}

/** What an event makes of a state; the same object where it changes nothing. */
export function reduce(state: ConsoleState, action: Action): ConsoleState {
  switch (action.type) {
    case 'snapshot':
      return snapshotCame(state, action.snapshot, action.now);
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
    case 'tail':
      return state.log?.runId === action.runId ? withTail(state, state.log, action.tail) : state;
    case 'step':
      return stepped(state, action.step);
    case 'went':
      return settle({ ...state, place: action.place, overlay: { kind: 'none' }, log: null });
    case 'filterOpened':
      return settle({ ...state, overlay: { kind: 'filter' } });
    case 'filterTyped':
      return filtered(state, (state.table.query.text + action.text).slice(0, 200));
    case 'filterErased':
      return filtered(state, Array.from(state.table.query.text).slice(0, -1).join(''));
    case 'filterSet':
      return filtered(state, action.text.slice(0, 200));
    case 'filterKept':
      return { ...state, overlay: { kind: 'none' } };
    case 'commandOpened':
      return { ...state, overlay: { kind: 'command', text: '' } };
    case 'lineSet': {
      const { overlay } = state;
      if (overlay.kind !== 'command' && overlay.kind !== 'search') return state;
      return { ...state, overlay: { ...overlay, text: action.text.slice(0, 200) } };
    }
    case 'searchOpened':
      return { ...state, overlay: { kind: 'search', text: '' } };
    case 'searched':
      return state.log === null
        ? state
        : { ...state, log: { ...state.log, search: action.search, hit: null } };
    case 'lineFound':
      return lineFound(state, action.line);
    case 'wholeToggled':
      return state.log === null
        ? state
        : settle({ ...state, log: { ...state.log, whole: !state.log.whole } });
    case 'sortedBy':
      return withTable(state, (table) =>
        action.column === null
          ? { ...table, sorting: null }
          : action.descending === undefined
            ? sortBy(table, action.column)
            : { ...table, sorting: { column: action.column, descending: action.descending } },
      );
    case 'sortedNext':
      return withTable(state, (table) => sortNext(table, jobsTable.columnIds));
    case 'markToggled':
      return withTable(state, (table) => {
        const marked = toggleMark(table);
        return moveTo(marked, marked.position.index + 1, squeezedTable(state));
      });
    case 'rangeMarked':
      return withTable(state, markRange);
    case 'allMarked':
      return withTable(state, toggleAll);
    case 'wideToggled':
      return withTable(state, (table) => ({ ...table, wide: !table.wide, columns: null }));
    case 'errorsToggled':
      return withTable(state, (table) => ({ ...table, errorsOnly: !table.errorsOnly }));
    case 'columnsChosen':
      return withTable(state, (table) => ({ ...table, columns: action.columns }));
    case 'freezeToggled':
      return state.frozen === null
        ? { ...state, frozen: { since: state.now, news: state.snapshot } }
        : snapshotCame({ ...state, frozen: null }, state.frozen.news, state.now);
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
    case 'helpOpened':
      return settle({ ...state, overlay: { kind: 'help', top: 0 } });
    case 'cancelAsked':
      return settle({ ...state, overlay: { kind: 'cancel', target: action.target } });
    case 'quitAsked':
      return settle({ ...state, overlay: { kind: 'quit' } });
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
  const unchanged = snapshot.runs === state.snapshot.runs && snapshot.jobs.rows === state.snapshot.jobs.rows;
  const before = state.table.rows as readonly Row[];
  const rows = unchanged ? before : mergeRows(snapshot, before);
  const table = rows === before ? state.table : { ...state.table, rows };
  return settle(change(state, { snapshot, table, now }));
}

function withTable(state: ConsoleState, alter: (table: TableState) => TableState): ConsoleState {
  return settle(change(state, { table: alter(state.table) }));
}

function filtered(state: ConsoleState, text: string): ConsoleState {
  return withTable(state, (table) => withQuery(table, text, jobsTable));
}

/** After rows, filter, size or panes changed: what the table shows, and the log that goes with its selection. */
function settle(state: ConsoleState): ConsoleState {
  const table = settleTable(state.table, {
    table: jobsTable,
    context: { now: state.now, age: state.snapshot.jobs },
    height: squeezedTable(state),
  });
  return followSelection(change(state, { table }));
}

function followSelection(state: ConsoleState): ConsoleState {
  const { log } = state;
  const row = selectedRow(state);
  if (log === null || log.rowId === (row?.id ?? null)) return state;
  return { ...state, log: logOf(state, log) };
}

function openLog(state: ConsoleState): ConsoleState {
  return { ...state, log: logOf(state, { focused: true, search: null, whole: false }) };
}

function logOf(
  state: ConsoleState,
  { focused, search, whole }: Pick<LogPane, 'focused' | 'search' | 'whole'>,
): LogPane {
  const row = selectedRow(state);
  const runId = row?.run?.id ?? null;
  return { rowId: row?.id ?? null, runId, tail: null, end: null, focused, search, hit: null, whole };
}

function withTail(state: ConsoleState, log: LogPane, tail: LogTail): ConsoleState {
  // A log that was begun anew (a requeue) has no line of that number any more: its end is shown.
  const end = log.end !== null && log.end > tailEnd(tail) ? null : log.end;
  const hit = log.hit !== null && log.hit >= tailEnd(tail) ? null : log.hit;
  return { ...state, log: { ...log, tail, end, hit } };
}

function lineFound(state: ConsoleState, line: number): ConsoleState {
  const { log } = state;
  if (log === null || log.tail === null) return state;
  return { ...state, log: { ...log, hit: line, end: endFor(log.tail, line, log.end, logFrame(state)) } };
}

/** The room of the log's lines. */
export function logFrame(state: ConsoleState): LogFrame {
  return {
    width: state.size.columns - 2,
    height: layoutScreen(state).log - 1,
    wrap: state.wrap,
    ellipsis: '…',
  };
}

function followToggled(state: ConsoleState): ConsoleState {
  const { log } = state;
  if (log === null) return state;
  const end = log.end !== null || log.tail === null ? null : tailEnd(log.tail);
  return { ...state, log: { ...log, end } };
}

/** One thing after another: what lies over the view, the log, the page, the filter, the marks. */
function back(state: ConsoleState): ConsoleState {
  const { overlay, table } = state;
  switch (overlay.kind) {
    case 'filter':
      return filtered({ ...state, overlay: { kind: 'none' } }, '');
    case 'command':
    case 'search':
    case 'help':
    case 'cancel':
    case 'quit':
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
  if (state.place.view !== 'jobs') return { ...state, place: { view: 'jobs' } };
  if (table.query.text !== '') return filtered(state, '');
  if (table.errorsOnly) return { ...state, table: { ...table, errorsOnly: false } };
  return table.marked.size === 0 ? state : { ...state, table: { ...table, marked: new Set() } };
}

function stepped(state: ConsoleState, step: Step): ConsoleState {
  const { overlay, log, place } = state;
  const layout = layoutScreen(state);
  if (overlay.kind === 'help') {
    const top = pageTop(overlay.top, step, layout.help, helpLines(state).length);
    return top === overlay.top ? state : { ...state, overlay: { kind: 'help', top } };
  }
  if (place.view !== 'jobs') {
    const top = pageTop(place.top, step, layout.page, pageLines(state).length);
    return top === place.top ? state : { ...state, place: { ...place, top } };
  }
  if (log?.focused === true) return logStepped(state, log, step);
  const last = state.table.shown.length - 1;
  const index = stepFrom(state.table.position.index, step, layout.table, last);
  return followSelection(change(state, { table: moveTo(state.table, index, layout.table) }));
}

function pageTop(at: number, step: Step, height: number, lines: number): number {
  const last = Math.max(0, lines - height);
  return Math.min(Math.max(0, stepFrom(at, step, height, last)), last);
}

function stepFrom(at: number, step: Step, page: number, last: number): number {
  const turn = Math.max(1, page - 1);
  switch (step) {
    case 'up':
      return at - 1;
    case 'down':
      return at + 1;
    case 'pageUp':
      return at - turn;
    case 'pageDown':
      return at + turn;
    case 'first':
      return 0;
    case 'last':
      return last;
  }
}

/** Upwards stops following; reaching the end follows again. */
function logStepped(state: ConsoleState, log: LogPane, step: Step): ConsoleState {
  const { tail } = log;
  if (tail === null) return state;
  const frame = logFrame(state);
  const lowest = firstEnd(tail, frame);
  const shown = logRows(tail, log.end, frame);
  const wanted = step === 'first' ? lowest : stepFrom(shown.to, step, shown.to - shown.from, tailEnd(tail));
  const reached = Math.max(lowest, wanted);
  const end = reached >= tailEnd(tail) ? null : reached;
  return end === log.end ? state : { ...state, log: { ...log, end } };
}
