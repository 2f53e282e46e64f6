import type { LogTail } from '../../worker/views/handle.js';
import { layoutScreen } from './layout.js';
import { endFor, firstEnd, logRows, tailEnd, type LogFrame } from './log-viewport.js';
import { selectedRow, type ConsoleState, type LogPane } from './state.js';
import { stepFrom, type Step } from './cursor-movement.js';

export function openLog(state: ConsoleState): ConsoleState {
  return { ...state, log: logOf(state, { focused: true, search: null, whole: false }) };
}

export function followSelection(state: ConsoleState): ConsoleState {
  const { log } = state;
  const row = selectedRow(state);
  if (log === null || log.rowId === (row?.id ?? null)) return state;
  return { ...state, log: logOf(state, log) };
}

function logOf(
  state: ConsoleState,
  { focused, search, whole }: Pick<LogPane, 'focused' | 'search' | 'whole'>,
): LogPane {
  const row = selectedRow(state);
  // ids of such rows begin with `job:`
  const logId = row?.run?.id ?? row?.id ?? null;
  return { rowId: row?.id ?? null, logId, tail: null, end: null, focused, search, hit: null, whole };
}

export function withTail(state: ConsoleState, log: LogPane, tail: LogTail): ConsoleState {
  // A log that was begun anew (a requeue) has no line of that number any more: its end is shown.
  const end = log.end !== null && log.end > tailEnd(tail) ? null : log.end;
  const hit = log.hit !== null && log.hit >= tailEnd(tail) ? null : log.hit;
  return { ...state, log: { ...log, tail, end, hit } };
}

export function lineFound(state: ConsoleState, line: number): ConsoleState {
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
    stamps: state.stamps,
    ellipsis: '…',
  };
}

export function followToggled(state: ConsoleState): ConsoleState {
  const { log } = state;
  if (log === null) return state;
  const end = log.end !== null || log.tail === null ? null : tailEnd(log.tail);
  return { ...state, log: { ...log, end } };
}

/** Upwards stops following; reaching the end follows again. */
export function logStepped(state: ConsoleState, log: LogPane, step: Step): ConsoleState {
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
