import { clearNext } from '../table/table-reducer.js';
import { moveTo } from '../table/table-state.js';
import { helpLines } from '../views/help.js';
import { pageLines } from '../views/pages/page.js';
import { currentView } from '../views/tables/all-tables.js';
import { moveFrom, pageTop, type CursorMove } from './cursor-movement.js';
import { applyTableAction, recompute, withCurrentTable, withRows, withWidths } from './derive-state.js';
import { layoutScreen } from './layout.js';
import { followSelection, scrollLog } from './log-reducer.js';
import type { LogSearch } from './log-search.js';
import { isTable, tableOf, type ConsoleState, type PagePlace, type Place } from './state.js';

/** @param deeper Esc leads back to the present place */
export function navigate(state: ConsoleState, place: Place, deeper: boolean): ConsoleState {
  const next: ConsoleState = {
    ...(isTable(place) ? withRows(state, [place.view]) : state),
    place,
    backStack: deeper ? [...state.backStack, state.place] : [],
    overlay: { kind: 'none' },
    log: null,
    pageSearch: null,
    // a notice is about the view where it appeared
    message: state.message?.until === null ? state.message : null,
  };
  const query = isTable(place) ? place.drillDownQuery : undefined;
  return query === undefined ? recompute(next) : applyTableAction(next, { type: 'filterSet', text: query });
}

/** Closes one thing at a time: the overlay, the log, the table's filter and marks, then the page. */
export function back(state: ConsoleState): ConsoleState {
  const { overlay, place, log } = state;
  if (overlay.kind === 'filter') {
    return applyTableAction({ ...state, overlay: { kind: 'none' } }, { type: 'filterSet', text: '' });
  }
  // Esc ends the search of the help first
  if (overlay.kind === 'help' && (overlay.typing || overlay.query !== ''))
    return { ...state, overlay: { kind: 'help', top: 0, query: '', typing: false } };
  if (overlay.kind !== 'none') return { ...state, overlay: { kind: 'none' } };
  if (log !== null) {
    if (log.search !== null) return { ...state, log: { ...log, search: null, hit: null } };
    if (log.fullScreen) return { ...state, log: { ...log, fullScreen: false } };
    return { ...state, log: null };
  }
  if (isTable(place)) {
    const before = tableOf(state);
    const table = clearNext(before, currentView(state).table);
    const isDrillDown = place.drillDownQuery !== undefined && before.query.text === place.drillDownQuery;
    if (isDrillDown) return goBack(withCurrentTable(state, table));
    if (table !== before) return withCurrentTable(state, table);
    if (place.view === 'jobs') return state;
  }
  if (state.pageSearch !== null) return { ...state, pageSearch: null };
  return goBack(state);
}

function goBack(state: ConsoleState): ConsoleState {
  return {
    ...state,
    place: state.backStack.at(-1) ?? { view: 'jobs' },
    backStack: state.backStack.slice(0, -1),
  };
}

/** Moves in whatever has the keyboard: the help, a page, the log or the table. */
export function moveCursor(state: ConsoleState, move: CursorMove): ConsoleState {
  const { overlay, log, place } = state;
  const layout = layoutScreen(state);
  if (overlay.kind === 'help') {
    const top = pageTop(overlay.top, move, layout.help, helpLines(state).length);
    return top === overlay.top ? state : { ...state, overlay: { ...overlay, top } };
  }
  if (!isTable(place)) {
    const top = pageTop(place.top, move, layout.page, pageLines(state).length);
    return top === place.top ? state : { ...state, place: { ...place, top } };
  }
  if (log?.focused === true) return scrollLog(state, log, move);
  const table = tableOf(state);
  const index = moveFrom(table.position.index, move, layout.table, table.shown.length - 1);
  return followSelection(withWidths(withCurrentTable(state, moveTo(table, index, layout.table))));
}

/** Moves the cursor to a row of the table. */
export function clickRow(state: ConsoleState, index: number): ConsoleState {
  const layout = layoutScreen(state);
  return followSelection(withCurrentTable(state, moveTo(tableOf(state), index, layout.table)));
}

/** @param search null ends the search of the page or log */
export function startSearch(state: ConsoleState, search: LogSearch | null): ConsoleState {
  if (!isTable(state.place)) return { ...state, pageSearch: search === null ? null : { search, hit: null } };
  return state.log === null ? state : { ...state, log: { ...state.log, search, hit: null } };
}

/** Marks a line of the page as the search hit and scrolls it into view. */
export function showPageLine(state: ConsoleState, place: PagePlace, line: number): ConsoleState {
  const { page } = layoutScreen(state);
  const isVisible = line >= place.top && line < place.top + page;
  const last = Math.max(0, pageLines(state).length - page);
  const top = isVisible ? place.top : Math.min(last, Math.max(0, line - Math.floor(page / 2)));
  const pageSearch = state.pageSearch === null ? null : { ...state.pageSearch, hit: line };
  return { ...state, place: { ...place, top }, pageSearch };
}
