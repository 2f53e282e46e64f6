import { errorLine } from '../../base/errors.js';
import type { CommandAnswer, RunView, WorkerHandle, WorkerHealth } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { pluralize } from '../views/format.js';
import type { Notify, QuitChoice, QuitController, ShowAnswer } from './command.js';

interface QuitOptions {
  handle: WorkerHandle;
  store: Store;
  notify: Notify;
  showAnswer: ShowAnswer;
  quit: (choice: QuitChoice) => void;
}

export function createQuitController({
  handle,
  store,
  notify,
  showAnswer,
  quit,
}: QuitOptions): QuitController {
  const unfinished = (): readonly RunView[] =>
    handle.snapshot().runs.filter(({ stage }) => stage !== 'finished');

  /** The worker must stay until Girder knows how the runs ended. Resuming the intake calls the quit off. */
  const quitWhenIdle = (): void => {
    const unsubscribe = handle.subscribe(check);
    function check(): void {
      const { inFlight, intake } = handle.snapshot().health;
      const isResumed = intake === 'open' || intake === 'full';
      if (inFlight > 0 && !isResumed) return;
      unsubscribe();
      if (!isResumed) quit('leave');
    }
    check();
  };

  /** Cancels the runs that have not ended since the question was asked. */
  const cancel = async (runs: readonly RunView[]): Promise<CommandAnswer> => {
    const active = new Set(unfinished().map(({ id }) => id));
    const ids = runs.map(({ id }) => id).filter((id) => active.has(id));
    if (ids.length === 0) return { ok: true, message: '' };
    try {
      return await handle.act({ kind: 'cancel', runs: ids, jobs: [] });
    } catch (thrown) {
      return { ok: false, message: errorLine(thrown) };
    }
  };

  /**
   * Restores the intake after a failed cancel, unless it has been changed in the meantime.
   * @returns the part of a sentence that says so
   */
  const restoreIntake = async (before: WorkerHealth['intake']): Promise<string> => {
    if (before === 'draining' || handle.snapshot().health.intake !== 'draining') return '';
    const { ok, message } = before === 'paused' ? await handle.pause() : await handle.resume();
    return ok
      ? `, the intake is ${before === 'paused' ? 'paused' : 'open'} again`
      : `, the intake stays closed (${message})`;
  };

  const cancelAll = async (runs: readonly RunView[]): Promise<CommandAnswer> => {
    const what = pluralize(runs.length, 'run');
    const before = handle.snapshot().health.intake;
    // tasks that arrive after the question must not start here
    const drained = await handle.drain();
    if (!drained.ok) return drained;
    const { ok, message } = await cancel(runs);
    if (!ok) {
      const intake = await restoreIntake(before);
      return {
        ok,
        message: `Not all of ${what} canceled. The console stays open${intake}: ${message.trim()}`,
      };
    }
    quitWhenIdle();
    return { ok, message: `${what} canceled. The console closes when no run is in flight.` };
  };

  return {
    ask() {
      const { snapshot, workerLifetime } = store.get();
      if (snapshot.health.inFlight === 0 || workerLifetime === 'continues') quit('leave');
      else store.dispatch({ type: 'quitOpened' });
    },
    leave: () => quit('leave'),
    keep() {
      if (store.get().workerLifetime === 'endsOrDetaches') return quit('keep');
      store.dispatch({ type: 'back' });
      notify('warning', 'This worker cannot continue without its console.');
    },
    askCancelAll: () => store.dispatch({ type: 'quitCancelOpened', runs: unfinished() }),
    confirmCancelAll() {
      const { overlay } = store.get();
      if (overlay.kind !== 'quitCancel') return;
      store.dispatch({ type: 'back' });
      notify('warning', `Canceling ${pluralize(overlay.runs.length, 'run')} …`);
      showAnswer(async () => cancelAll(overlay.runs));
    },
  };
}
