import type { LogTail } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { logFrame } from '../state/log-reducer.js';
import { errorPattern, findLine, parseSearch, type SearchHit } from '../state/log-search.js';
import { logRows } from '../state/log-viewport.js';
import { isTable, type ConsoleState } from '../state/state.js';
import { createTimeLimit } from '../terminal/time-limit.js';
import { pageLines } from '../views/pages/page.js';
import type { Notify, SearchController } from './command.js';

/** Keys are blocked for this long. */
const maxSearchMs = 250;

interface SearchScope {
  tail: LogTail;
  /** The first visible line, and the line after the last visible one. */
  from: number;
  to: number;
  hit: number | null;
}

export function createSearchController(store: Store, notify: Notify): SearchController {
  const withTimeLimit = createTimeLimit(maxSearchMs);

  const find = (expression: RegExp, what: string, direction: 1 | -1): void => {
    const scope = searchScope(store.get());
    if (scope === null) return notify('warning', 'There is no log to search yet.');
    const { tail, from, to, hit } = scope;
    const isHitVisible = hit !== null && hit >= from && hit < to;
    const start = isHitVisible ? hit + direction : direction > 0 ? from : to - 1;
    const found = withTimeLimit<SearchHit | null>(() => findLine(tail, expression, start, direction));
    if (!found.ok) return notify('bad', `The search for ${what} takes too long and was stopped.`);
    if (found.value === null)
      return notify('warning', `No ${what} in the loaded lines.${expressionHint(what)}`);
    store.dispatch({ type: 'lineFound', line: found.value.line });
    if (found.value.wrapped) {
      notify('warning', `Search continued from the ${direction > 0 ? 'beginning' : 'end'}.`);
    }
  };

  const next = (direction: 1 | -1): void => {
    const { place, log, pageSearch } = store.get();
    const search = (isTable(place) ? log?.search : pageSearch?.search) ?? null;
    if (search === null) notify('warning', 'No search is active. Press / to search.');
    else find(search.expression, `"${search.text}"`, direction);
  };

  return {
    search(text) {
      if (text === '') return store.dispatch({ type: 'searchStarted', search: null });
      const search = parseSearch(text);
      if (typeof search === 'string') return notify('bad', search);
      store.dispatch({ type: 'searchStarted', search });
      next(1);
    },
    next,
    nextError: () => find(errorPattern, 'line that looks like an error', 1),
  };
}

/** A text that looks like an expression is searched literally, unless it is between slashes. */
function expressionHint(what: string): string {
  return /[[\](){}*+^$|\\]/u.test(what) ? ' Write /…/ around a regular expression.' : '';
}

function searchScope(state: ConsoleState): SearchScope | null {
  const { place, log, pageSearch } = state;
  if (!isTable(place)) {
    const lines = pageLines(state).map(({ spans }) => spans.map(({ text }) => text).join(''));
    return { tail: { lines, lost: 0 }, from: place.top, to: lines.length, hit: pageSearch?.hit ?? null };
  }
  if (log === null || log.tail === null) return null;
  const { from, to } = logRows(log.tail, log.end, logFrame(state));
  return { tail: log.tail, from, to, hit: log.hit };
}
