import type { LogTail, WorkerSnapshot } from '../worker/handle.js';
import { filterRows } from './filter.js';
import { helpLines } from './views/help.js';
import { layoutScreen } from './layout.js';
import { firstEnd, logRows, tailEnd } from './log-window.js';
import { mergeRows } from './rows.js';
import {
  selectedRow,
  type CancelTarget,
  type ConsoleState,
  type LogPane,
  type Message,
  type Size,
} from './state.js';
import { resolveWindow } from './window.js';

export type Step = 'up' | 'down' | 'pageUp' | 'pageDown' | 'first' | 'last';

export type Action =
  | { type: 'snapshot'; snapshot: WorkerSnapshot; now: number }
  | { type: 'tick'; now: number }
  | { type: 'resized'; size: Size }
  | { type: 'tail'; runId: string; tail: LogTail }
  | { type: 'step'; step: Step }
  | { type: 'filterOpened' }
  | { type: 'filterTyped'; text: string }
  | { type: 'filterErased' }
  | { type: 'filterKept' }
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
}

export function initialState({ snapshot, now, size, title, readOnly = false }: Beginning): ConsoleState {
  return settle({
    title: title ?? null,
    readOnly,
    size,
    now,
    snapshot,
    rows: mergeRows(snapshot, []),
    shown: [],
    filter: '',
    position: { selected: null, index: 0, top: 0 },
    overlay: { kind: 'none' },
    log: null,
    wrap: false,
    message: null,
  });
}

/** What an event makes of a state; the same object where it changes nothing. */
export function reduce(state: ConsoleState, action: Action): ConsoleState {
  switch (action.type) {
    case 'snapshot': {
      const { snapshot } = action;
      const rows =
        snapshot.runs === state.snapshot.runs && snapshot.jobs.rows === state.snapshot.jobs.rows
          ? state.rows
          : mergeRows(snapshot, state.rows);
      return settle(change(state, { snapshot, rows, now: action.now }));
    }
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
    case 'filterOpened':
      return settle({ ...state, overlay: { kind: 'filter' } });
    case 'filterTyped':
      return settle(change(state, { filter: (state.filter + action.text).slice(0, 200) }));
    case 'filterErased':
      return settle(change(state, { filter: Array.from(state.filter).slice(0, -1).join('') }));
    case 'filterKept':
      return { ...state, overlay: { kind: 'none' } };
    case 'logToggled':
      return state.log === null ? settle(openLog(state)) : settle({ ...state, log: null });
    case 'focusToggled':
      return state.log === null ? state : { ...state, log: { ...state.log, focused: !state.log.focused } };
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

/** After rows, filter, size or panes changed: the filtered rows, the selection by its id, and the log that goes with it. */
function settle(state: ConsoleState): ConsoleState {
  const filtered = filterRows(state.rows, state.filter);
  const same =
    filtered.length === state.shown.length && filtered.every((row, index) => row === state.shown[index]);
  const shown = same ? state.shown : filtered;
  const { index, top } = resolveWindow(shown, state.position, layoutScreen(state).table);
  return select(change(state, { shown }), index, top);
}

function select(state: ConsoleState, index: number, top: number): ConsoleState {
  const selected = state.shown[index]?.id ?? state.position.selected;
  const before = state.position;
  const position =
    before.selected === selected && before.index === index && before.top === top
      ? before
      : { selected, index, top };
  return followSelection(change(state, { position }));
}

function followSelection(state: ConsoleState): ConsoleState {
  const { log } = state;
  const row = selectedRow(state);
  if (log === null || log.rowId === (row?.id ?? null)) return state;
  return { ...state, log: logOf(state, log.focused) };
}

function openLog(state: ConsoleState): ConsoleState {
  return { ...state, log: logOf(state, true) };
}

function logOf(state: ConsoleState, focused: boolean): LogPane {
  const row = selectedRow(state);
  return { rowId: row?.id ?? null, runId: row?.run?.id ?? null, tail: null, end: null, focused };
}

function withTail(state: ConsoleState, log: LogPane, tail: LogTail): ConsoleState {
  // A log that was begun anew (a requeue) has no line of that number any more: its end is shown.
  const end = log.end !== null && log.end > tailEnd(tail) ? null : log.end;
  return { ...state, log: { ...log, tail, end } };
}

function followToggled(state: ConsoleState): ConsoleState {
  const { log } = state;
  if (log === null) return state;
  const end = log.end !== null || log.tail === null ? null : tailEnd(log.tail);
  return { ...state, log: { ...log, end } };
}

function back(state: ConsoleState): ConsoleState {
  switch (state.overlay.kind) {
    case 'filter':
      return { ...state, overlay: { kind: 'none' }, filter: '' };
    case 'help':
    case 'cancel':
    case 'quit':
      return { ...state, overlay: { kind: 'none' } };
    case 'none':
      return state.log === null ? change(state, { filter: '' }) : { ...state, log: null };
  }
}

function stepped(state: ConsoleState, step: Step): ConsoleState {
  const { overlay, log } = state;
  const layout = layoutScreen(state);
  if (overlay.kind === 'help') {
    const last = helpLines(state).length - layout.help;
    const top = Math.min(Math.max(0, stepFrom(overlay.top, step, layout.help, last)), Math.max(0, last));
    return top === overlay.top ? state : { ...state, overlay: { kind: 'help', top } };
  }
  if (log?.focused === true) return logStepped(state, log, step, layout.log - 1);
  const last = state.shown.length - 1;
  if (last < 0) return state;
  const index = Math.min(Math.max(0, stepFrom(state.position.index, step, layout.table, last)), last);
  const position = { ...state.position, selected: state.shown[index]?.id ?? null, index };
  const { top } = resolveWindow(state.shown, position, layout.table);
  return select(state, index, top);
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
function logStepped(state: ConsoleState, log: LogPane, step: Step, height: number): ConsoleState {
  const { tail } = log;
  if (tail === null) return state;
  const frame = { width: state.size.columns - 2, height, wrap: state.wrap, ellipsis: '…' };
  const lowest = firstEnd(tail, frame);
  const shown = logRows(tail, log.end, frame);
  const wanted = step === 'first' ? lowest : stepFrom(shown.to, step, shown.to - shown.from, tailEnd(tail));
  const reached = Math.max(lowest, wanted);
  const end = reached >= tailEnd(tail) ? null : reached;
  return end === log.end ? state : { ...state, log: { ...log, end } };
}
