import { isTable, tableNameOf, type ConsoleState } from './state.js';
import { troublesOf } from '../views/header.js';
import { tableViews } from '../views/tables.js';

/** How the rows of the terminal are shared out. All numbers are rows. */
export interface ScreenLayout {
  /** Lines of trouble under the health line. */
  troubles: number;
  /** The heading of the table; 0 where the log has its room. */
  heading: number;
  /** Lines above the heading about all rows of the table, with a blank one below. */
  summary: number;
  /** Rows of the table without its heading. */
  table: number;
  /** The log pane with its heading; 0: closed. */
  log: number;
  /** Lines about the selected row. */
  details: number;
  /** The box of a question with its border; 0: none. */
  box: number;
  /** The help takes the room of table, details and log, and so does a page. */
  help: number;
  page: number;
}

/** Below this a frame makes no sense. */
export const smallest = { columns: 40, rows: 15 };

const nothing = { heading: 0, summary: 0, table: 0, log: 0, details: 0, box: 0, help: 0, page: 0 };

/** Title, health, Slurm's line, heading of the table, message line, footer. */
const fixed = 6;
const questionBox = 7;

/**
 * One row of the terminal stays free: a frame of full height makes Ink erase the screen now and then, and writing the
 * last cell makes some terminals scroll.
 */
export function layoutScreen(state: ConsoleState): ScreenLayout {
  const { size, overlay, log, place } = state;
  const asked = ['confirm', 'menu', 'quit', 'quitCancel'].includes(overlay.kind);
  const box = asked ? questionBox : 0;
  const room = size.rows - 1 - fixed;
  const troubles = Math.max(0, Math.min(troublesOf(state).length, room - box - 1));
  const free = Math.max(1, room - troubles);
  if (overlay.kind === 'help') return { ...nothing, troubles, help: free + 1 };
  if (!isTable(place)) return { ...nothing, troubles, box, page: free + 1 - box };
  const details = box === 0 && free >= 10 ? 2 : 0;
  const rest = free - box - details;
  if (log?.whole === true && box === 0) {
    return { ...nothing, troubles, details, box, log: rest + 1 };
  }
  // The question takes the log's room, so that the row in question stays in sight.
  const pane = log === null || box > 0 ? 0 : Math.min(rest - 1, Math.max(4, Math.floor(rest * 0.6)));
  const summary = box === 0 ? summaryRows(state, rest) : 0;
  return { ...nothing, troubles, heading: 1, summary, table: rest - pane - summary, log: pane, details, box };
}

/** A summary never takes so much that the table would be a glimpse. */
function summaryRows(state: ConsoleState, room: number): number {
  if (tableViews[tableNameOf(state)].summary === undefined || room < 10) return 0;
  return room < 18 ? 3 : 4;
}

/**
 * Rows of the table, at least one. Under what takes all of its room for a while (a page, the help, a log over the whole
 * screen) it keeps its height, so that it is found again as it was left.
 */
export function squeezedTable(state: ConsoleState): number {
  const { overlay, log } = state;
  const underneath: ConsoleState = {
    ...state,
    place: { view: tableNameOf(state) },
    overlay: overlay.kind === 'help' ? { kind: 'none' } : overlay,
    log: log === null ? null : { ...log, whole: false },
  };
  return Math.max(1, layoutScreen(underneath).table);
}
