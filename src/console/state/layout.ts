import { menuRows } from '../views/menu.js';
import { warningsOf } from '../views/header.js';
import { currentView } from '../views/tables/all-tables.js';
import { selectedItem } from '../table/table-state.js';
import type { Row } from './rows.js';
import { isTable, tableNameOf, type ConsoleState } from './state.js';

/** How the rows of the terminal are divided. All numbers are rows. */
interface ScreenLayout {
  /** Warnings below the health line. */
  warnings: number;
  /** The heading of the table; 0 if the log covers it. */
  heading: number;
  /** The summary above the table, including a blank line. */
  summary: number;
  /** The table without its heading. */
  table: number;
  /** The log pane with its heading; 0: closed. */
  log: number;
  /** Lines about the selected row. */
  details: number;
  /** The question box with its border; 0: none. */
  box: number;
  /** Columns of the pane beside the table, with its border; 0: none. */
  side: number;
  /** The help or the page covers table, log and details. */
  help: number;
  page: number;
}

/** In a smaller terminal, the console only says that it needs more room. */
export const minSize = { columns: 40, rows: 15 };

const empty = { side: 0, heading: 0, summary: 0, table: 0, log: 0, details: 0, box: 0, help: 0, page: 0 };

/** Tabs, title, status, table heading, message line and footer. */
const fixedRows = 6;
const questionBox = 7;

function boxRows(state: ConsoleState, room: number): number {
  return state.overlay.kind === 'menu' ? menuRows(state, room - 2) + 2 : questionBox;
}

/**
 * One row of the terminal stays free: at full height, Ink erases the screen now and then, and writing to the last cell
 * makes some terminals scroll.
 */
export function layoutScreen(state: ConsoleState): ScreenLayout {
  const { size, overlay, log, place } = state;
  const hasBox = ['confirm', 'menu', 'quit', 'quitCancel', 'start', 'pause'].includes(overlay.kind);
  const room = size.rows - 1 - fixedRows;
  const box = hasBox ? boxRows(state, room) : 0;
  const warnings = Math.max(0, Math.min(warningsOf(state).length, room - box - 1));
  const free = Math.max(1, room - warnings);
  if (overlay.kind === 'help') return { ...empty, warnings, help: free + 1 };
  if (!isTable(place)) return { ...empty, warnings, box, page: free + 1 - box };
  const side = sideColumns(state);
  const details = side === 0 && box === 0 && free >= 10 ? 2 : 0;
  const rest = free - box - details;
  if (log?.fullScreen === true && box === 0) {
    return { ...empty, warnings, details, box, log: rest + 1 };
  }
  // a question replaces the log, so that the row in question stays visible
  const pane = log === null || box > 0 ? 0 : Math.min(rest - 1, Math.max(4, Math.floor(rest * 0.6)));
  const summary = box === 0 ? summaryRows(state, rest) : 0;
  return {
    ...empty,
    side,
    warnings,
    heading: 1,
    summary,
    table: rest - pane - summary,
    log: pane,
    details,
    box,
  };
}

/** From this width, a pane beside the table shows the selected row. */
export const sideBySideColumns = 120;

function sideColumns({ size: { columns }, log, pane }: ConsoleState): number {
  if (!pane || log !== null || columns < sideBySideColumns) return 0;
  return columns - Math.max(80, Math.ceil(columns * 0.58));
}

/** The state as seen by what is drawn to the left of the pane. */
export function besidePane(state: ConsoleState): ConsoleState {
  const { side } = layoutScreen(state);
  const { columns, rows } = state.size;
  return side === 0 ? state : { ...state, size: { columns: columns - side, rows } };
}

/** The run or job that the pane shows; null if there is no pane or it shows something else. */
export function paneRow(state: ConsoleState): Row | null {
  const { place, tables } = state;
  if (place.view !== 'jobs' && place.view !== 'history') return null;
  return layoutScreen(state).side === 0 ? null : selectedItem(tables[place.view]);
}

/** A small terminal shows a short summary or none, so that enough rows of the table remain. */
function summaryRows(state: ConsoleState, room: number): number {
  if (currentView(state).summary === undefined || room < 10) return 0;
  return room < 18 ? 3 : 4;
}

/**
 * Visible rows of the table, at least one. Below a page, the help or a full-screen log it keeps its height, so that its
 * scroll position survives.
 */
export function tableHeight(state: ConsoleState): number {
  const { overlay, log } = state;
  const uncovered: ConsoleState = {
    ...state,
    place: { view: tableNameOf(state) },
    overlay: overlay.kind === 'help' ? { kind: 'none' } : overlay,
    log: log === null ? null : { ...log, fullScreen: false },
  };
  return Math.max(1, layoutScreen(uncovered).table);
}
