import { layoutScreen } from './layout.js';
import { followSelection, logStepped } from './log-reducer.js';
import type { LogSearch } from './log-search.js';
import { changeTable, settle, tableViewOf, withRows, withTable } from './derive-state.js';
import { isTable, tableOf, type ConsoleState, type PagePlace, type Place } from './state.js';
import { pageTop, stepFrom, type Step } from './cursor-movement.js';
import { cleared } from '../table/table-reducer.js';
import { moveTo } from '../table/table-state.js';
import { helpLines } from '../views/help.js';
import { pageLines } from '../views/page.js';

/** To another place. With `deeper`, Esc leads back from there. */
export function went(state: ConsoleState, place: Place, deeper: boolean): ConsoleState {
  const there: ConsoleState = {
    ...(isTable(place) ? withRows(state, [place.view]) : state),
    place,
    trail: deeper ? [...state.trail, state.place] : [],
    overlay: { kind: 'none' },
    log: null,
    pageSearch: null,
  };
  const drilled = isTable(place) ? place.drilled : undefined;
  return drilled === undefined ? settle(there) : withTable(there, { type: 'filterSet', text: drilled });
}

/** One thing after another: what lies over the view, the log, the page, the filter, the marks. */
export function back(state: ConsoleState): ConsoleState {
  const { overlay, place } = state;
  switch (overlay.kind) {
    case 'filter':
      return withTable({ ...state, overlay: { kind: 'none' } }, { type: 'filterSet', text: '' });
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

/** The keys that move: in the help, on a page, in the log or in the table, whichever has the keyboard. */
export function stepped(state: ConsoleState, step: Step): ConsoleState {
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

/** What is searched for from now on, on the page or in the log. */
export function searched(state: ConsoleState, search: LogSearch | null): ConsoleState {
  if (!isTable(state.place)) return { ...state, pageSearch: search === null ? null : { search, hit: null } };
  return state.log === null ? state : { ...state, log: { ...state.log, search, hit: null } };
}

/** The page with this line in sight. */
export function pageLineFound(state: ConsoleState, place: PagePlace, line: number): ConsoleState {
  const { page } = layoutScreen(state);
  const inSight = line >= place.top && line < place.top + page;
  const last = Math.max(0, pageLines(state).length - page);
  const top = inSight ? place.top : Math.min(last, Math.max(0, line - Math.floor(page / 2)));
  const pageSearch = state.pageSearch === null ? null : { ...state.pageSearch, hit: line };
  return { ...state, place: { ...place, top }, pageSearch };
}
