import type { LogTail } from '../../worker/views/handle.js';
import { moveFrom, type CursorMove } from './cursor-movement.js';
import { layoutScreen } from './layout.js';
import { endFor, firstEnd, logRows, tailEnd, type LogFrame } from './log-viewport.js';
import type { Row } from './rows.js';
import { jobIdOf, logIdOf, selectedRow, type ConsoleState, type LogPane } from './state.js';

export function openLog(state: ConsoleState): ConsoleState {
  return { ...state, log: newLogPane(state, unopened) };
}

const unopened = { focused: true, search: null, fullScreen: false, isStderr: false };

/** Switches between standard output and standard error; opens the log if necessary. */
export function toggleStderr(state: ConsoleState): ConsoleState {
  const { isStderr, ...log } = state.log ?? unopened;
  return { ...state, log: newLogPane(state, { ...log, isStderr: !isStderr }) };
}

/** Switches an open log pane to the log of the selected row. */
export function followSelection(state: ConsoleState): ConsoleState {
  const { log } = state;
  const row = selectedRow(state);
  if (log === null || log.rowId === (row?.id ?? null)) return state;
  return { ...state, log: newLogPane(state, log) };
}

function newLogPane(
  state: ConsoleState,
  { focused, search, fullScreen, isStderr }: Pick<LogPane, 'focused' | 'search' | 'fullScreen' | 'isStderr'>,
): LogPane {
  const row = selectedRow(state);
  return {
    rowId: row?.id ?? null,
    isStderr,
    logId: isStderr ? stderrIdOf(row) : logIdOf(row),
    tail: null,
    end: null,
    focused,
    search,
    hit: null,
    fullScreen,
  };
}

function stderrIdOf(row: Row | null): string | null {
  const jobId = jobIdOf(row);
  return jobId === null ? null : `stderr:${jobId}`;
}

export function withTail(state: ConsoleState, log: LogPane, tail: LogTail): ConsoleState {
  // a log that was restarted by a requeue may not have these lines any more
  const end = log.end !== null && log.end > tailEnd(tail) ? null : log.end;
  const hit = log.hit !== null && log.hit >= tailEnd(tail) ? null : log.hit;
  return { ...state, log: { ...log, tail, end, hit } };
}

/** Marks a line as the search hit and scrolls it into view. */
export function showLogLine(state: ConsoleState, line: number): ConsoleState {
  const { log } = state;
  if (log === null || log.tail === null) return state;
  return { ...state, log: { ...log, hit: line, end: endFor(log.tail, line, log.end, logFrame(state)) } };
}

/** The area that log lines are drawn in. */
export function logFrame(state: ConsoleState): LogFrame {
  return {
    width: state.size.columns - 2,
    height: layoutScreen(state).log - 1,
    wrap: state.wrap,
    timestamps: state.timestamps,
    ellipsis: '…',
  };
}

export function toggleFollow(state: ConsoleState): ConsoleState {
  const { log } = state;
  if (log === null) return state;
  const end = log.end !== null || log.tail === null ? null : tailEnd(log.tail);
  return { ...state, log: { ...log, end } };
}

/** Scrolling up stops following the end; reaching the end follows it again. */
export function scrollLog(state: ConsoleState, log: LogPane, move: CursorMove): ConsoleState {
  const { tail } = log;
  if (tail === null) return state;
  const frame = logFrame(state);
  const lowest = firstEnd(tail, frame);
  const shown = logRows(tail, log.end, frame);
  const target = move === 'first' ? lowest : moveFrom(shown.to, move, shown.to - shown.from, tailEnd(tail));
  const reached = Math.max(lowest, target);
  const end = reached >= tailEnd(tail) ? null : reached;
  return end === log.end ? state : { ...state, log: { ...log, end } };
}
