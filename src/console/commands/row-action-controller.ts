import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { actionRows } from '../state/state.js';
import { pluralize } from '../views/format.js';
import { rowTitle } from '../views/tables/jobs.js';
import type { Notify, RowActionController, ShowAnswer } from './command.js';
import { actionMessages, actionsFor, whyNot, type RowAction } from './row-actions.js';

interface RowActionOptions {
  handle: WorkerHandle;
  store: Store;
  notify: Notify;
  showAnswer: ShowAnswer;
}

export function createRowActionController({
  handle,
  store,
  notify,
  showAnswer,
}: RowActionOptions): RowActionController {
  const available = (): readonly RowAction[] => actionsFor(store.get().snapshot.executor);

  const ask: RowActionController['ask'] = (action, words) => {
    if (!available().includes(action)) {
      return notify('warning', 'Jobs run on this host without Slurm: they can only be canceled.');
    }
    const request = action.parse(words.join(' '));
    if (typeof request === 'string') return notify('bad', request);
    const rows = actionRows(store.get());
    const [first, ...others] = rows.filter((row) => action.appliesTo(row));
    if (first !== undefined) {
      const skipped = rows.length - 1 - others.length;
      return store.dispatch({
        type: 'confirmOpened',
        target: { request, rows: [first, ...others], skipped },
      });
    }
    const [only] = rows;
    if (only === undefined) return notify('warning', `Select a run or job to ${action.name}.`);
    const subject = rows.length === 1 ? `${rowTitle(only)} is` : 'all marked rows are';
    const reason = rows.every(({ group }) => group === only.group) ? only.group : 'of another kind';
    const problem = rows.length === 1 ? whyNot(action, rows) : null;
    const why = problem === null || problem === 'it has ended' ? '' : ` (${problem})`;
    return notify('warning', `Nothing to ${action.name}: ${subject} ${reason}${why}.`);
  };

  return {
    ask,
    perform({ request, rows }) {
      const name = rows.length === 1 ? rowTitle(rows[0]) : pluralize(rows.length, 'row');
      const { done, refused } = actionMessages(request);
      notify('warning', `${done} ${name} …`);
      showAnswer(async () => {
        const { ok, message } = await handle.act({
          ...request,
          runs: rows.flatMap(({ run }) => (run === null ? [] : [run.id])),
          jobs: rows.flatMap(({ run, job }) => (run === null && job !== null ? [job.id] : [])),
        });
        if (ok && request.kind === 'cancel') {
          store.dispatch({ type: 'rowsEnded', ids: rows.map(({ id }) => id) });
        }
        const answer = message.trim() || (ok ? 'accepted' : 'refused without a reason');
        return { ok, message: `${ok ? done : refused} ${name}: ${answer}` };
      });
    },
    openMenu() {
      const rows = actionRows(store.get());
      const first = available().findIndex((action) => whyNot(action, rows) === null);
      if (rows.length > 0) store.dispatch({ type: 'menuOpened', index: Math.max(0, first) });
      else notify('warning', 'Select a run or job first.');
    },
    choose(key) {
      const { overlay } = store.get();
      const rows = actionRows(store.get());
      const entries = available();
      const action =
        key === 'enter' && overlay.kind === 'menu'
          ? entries[overlay.index]
          : entries.find((one) => one.key === key);
      const problem = action === undefined ? null : whyNot(action, rows);
      if (action !== undefined && problem !== null) {
        return notify('warning', `Cannot ${action.name} here: ${problem}.`);
      }
      store.dispatch({ type: 'back' });
      if (action === undefined) return;
      if (action.value === null) ask(action, []);
      else store.dispatch({ type: 'commandOpened', text: `${action.name} ` });
    },
    moveInMenu(direction) {
      const { overlay } = store.get();
      if (overlay.kind !== 'menu') return;
      const rows = actionRows(store.get());
      const entries = available();
      const works = entries.flatMap((action, index) => (whyNot(action, rows) === null ? [index] : []));
      const index =
        direction > 0
          ? works.find((one) => one > overlay.index)
          : works.findLast((one) => one < overlay.index);
      if (index !== undefined) store.dispatch({ type: 'menuOpened', index });
    },
  };
}
