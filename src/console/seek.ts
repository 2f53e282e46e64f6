import { errorWords, findLine, readSearch } from './log-search.js';
import { logRows } from './log-window.js';
import { logFrame } from './reducer.js';
import type { Message } from './state.js';
import type { Store } from './store.js';

/** Goes from hit to hit in the open log. */
export interface Seeker {
  /** Searches for what was typed, from what is in view on; nothing typed ends the search. */
  search(text: string): void;
  next(direction: 1 | -1): void;
  nextError(): void;
}

/** @param say tells the operator what was not found, or that the end was passed */
export function createSeeker(store: Store, say: (tone: Message['tone'], text: string) => void): Seeker {
  const seek = (expression: RegExp, what: string, direction: 1 | -1): void => {
    const { log } = store.get();
    if (log === null || log.tail === null) return say('warning', 'There is no log here yet.');
    const { from, to } = logRows(log.tail, log.end, logFrame(store.get()));
    const { hit } = log;
    const inSight = hit !== null && hit >= from && hit < to;
    const start = inSight ? hit + direction : direction > 0 ? from : to - 1;
    const found = findLine(log.tail, expression, start, direction);
    if (found === null) return say('warning', `No ${what} in the lines that are held.`);
    store.dispatch({ type: 'lineFound', line: found.line });
    if (found.wrapped) say('warning', `Went on from the ${direction > 0 ? 'beginning' : 'end'} of the log.`);
  };

  const next = (direction: 1 | -1): void => {
    const search = store.get().log?.search ?? null;
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
