import type { CommandAnswer, WorkerHandle } from '../../worker/views/handle.js';
import { counted } from '../views/format.js';
import { actionsOf, deedWords, type RowAction } from './row-actions.js';
import { actionRows, type ActionTarget, type Message } from '../state/state.js';
import type { Store } from '../state/store.js';
import { rowTitle } from '../views/jobs.js';

/** Asks about what is to be done to rows, and does it. */
export interface Acting {
  /** Asks whether an action shall be done to the rows that it can be about. @param words what followed its command */
  ask(action: RowAction, words: readonly string[]): void;
  /** Does what was asked about, to the rows as they were then. */
  act(target: ActionTarget): void;
}

interface ActingTools {
  handle: WorkerHandle;
  store: Store;
  say: (tone: Message['tone'], text: string) => void;
  /** Waits for an answer and shows it. */
  answer: (asked: () => Promise<CommandAnswer>) => void;
}

export function createActing({ handle, store, say, answer }: ActingTools): Acting {
  return {
    ask(action, words) {
      if (!actionsOf(store.get().snapshot.executor).includes(action))
        return say('warning', 'Jobs run on this host: they can be canceled, and nothing else.');
      const deed = action.read(words.join(' '));
      if (typeof deed === 'string') return say('bad', deed);
      const rows = actionRows(store.get());
      const [first, ...others] = rows.filter((row) => action.fits(row));
      if (first !== undefined) {
        const left = rows.length - 1 - others.length;
        return store.dispatch({ type: 'actionAsked', target: { deed, rows: [first, ...others], left } });
      }
      const [only] = rows;
      if (only === undefined) return say('warning', 'There is no run or job here to do that to.');
      const what = rows.length === 1 ? `${rowTitle(only)} is` : 'all of the marked rows are';
      const why = rows.every(({ group }) => group === only.group) ? only.group : 'of another kind';
      return say('warning', `Nothing to ${action.name}: ${what} ${why}.`);
    },
    act({ deed, rows }) {
      const name = rows.length === 1 ? rowTitle(rows[0]) : counted(rows.length, 'row');
      const { done, refused } = deedWords(deed);
      say('warning', `${done} ${name} …`);
      answer(async () => {
        const { ok, said } = await handle.act({
          ...deed,
          runs: rows.flatMap(({ run }) => (run === null ? [] : [run.id])),
          jobs: rows.flatMap(({ run, job }) => (run === null && job !== null ? [job.id] : [])),
        });
        if (ok && deed.kind === 'cancel')
          store.dispatch({ type: 'rowsEnded', ids: rows.map(({ id }) => id) });
        const words = said.trim() === '' ? (ok ? 'accepted' : 'refused without a word') : said.trim();
        return { ok, said: `${ok ? done : refused} ${name}: ${words}` };
      });
    },
  };
}
