import type { LogTail } from '../../worker/views/handle.js';
import { errorWords, findLine, readSearch, type Found } from '../state/log-search.js';
import { logRows } from '../state/log-viewport.js';
import { logFrame } from '../state/log-reducer.js';
import { isTable, type ConsoleState, type Message } from '../state/state.js';
import type { Store } from '../state/store.js';
import { createTimeLimit } from '../terminal/time-limit.js';
import { pageLines } from '../views/page.js';

/** Goes from hit to hit in the open log or on the open page. */
export interface Seeker {
  /** Searches for what was typed, from what is in view on; nothing typed ends the search. */
  search(text: string): void;
  next(direction: 1 | -1): void;
  nextError(): void;
}

/** Milliseconds for one search: keys wait as long. */
const longestSearchMs = 250;

/** The lines that are searched, and where the operator is in them. */
interface Searched {
  tail: LogTail;
  /** First line in view, and the line after the last one. */
  from: number;
  to: number;
  hit: number | null;
}

/** @param say tells the operator what was not found, or that the end was passed */
export function createSeeker(store: Store, say: (tone: Message['tone'], text: string) => void): Seeker {
  const withinTime = createTimeLimit(longestSearchMs);

  const seek = (expression: RegExp, what: string, direction: 1 | -1): void => {
    const searched = searchedOf(store.get());
    if (searched === null) return say('warning', 'There is no log here yet.');
    const { tail, from, to, hit } = searched;
    const inSight = hit !== null && hit >= from && hit < to;
    const start = inSight ? hit + direction : direction > 0 ? from : to - 1;
    const found = withinTime<Found | null>(() => findLine(tail, expression, start, direction));
    if (!found.ok) return say('bad', `Searching for ${what} takes too long: it was given up.`);
    if (found.value === null) return say('warning', `No ${what} in the lines that are held.`);
    store.dispatch({ type: 'lineFound', line: found.value.line });
    if (found.value.wrapped) {
      say('warning', `Went on from the ${direction > 0 ? 'beginning' : 'end'}.`);
    }
  };

  const next = (direction: 1 | -1): void => {
    const { place, log, pageSearch } = store.get();
    const search = (isTable(place) ? log?.search : pageSearch?.search) ?? null;
    if (search === null) say('warning', 'Nothing is searched for; / does.');
    else seek(search.expression, `"${search.text}"`, direction);
  };

  return {
    search(text) {
      if (text === '') return store.dispatch({ type: 'searched', search: null });
      const search = readSearch(text);
      if (typeof search === 'string') return say('bad', search);
      store.dispatch({ type: 'searched', search });
      next(1);
    },
    next,
    nextError: () => seek(errorWords, 'line that looks like an error', 1),
  };
}

function searchedOf(state: ConsoleState): Searched | null {
  const { place, log, pageSearch } = state;
  if (!isTable(place)) {
    const lines = pageLines(state).map(({ spans }) => spans.map(({ text }) => text).join(''));
    // from the top of what is in view on, whatever the height of the page
    return { tail: { lines, lost: 0 }, from: place.top, to: lines.length, hit: pageSearch?.hit ?? null };
  }
  if (log === null || log.tail === null) return null;
  const { from, to } = logRows(log.tail, log.end, logFrame(state));
  return { tail: log.tail, from, to, hit: log.hit };
}
