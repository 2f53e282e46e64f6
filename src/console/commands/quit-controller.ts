import { errorLine } from '../../base/errors.js';
import type { CommandAnswer, RunView, WorkerHandle, WorkerHealth } from '../../worker/views/handle.js';
import { counted } from '../views/format.js';
import type { Message } from '../state/state.js';
import type { Store } from '../state/store.js';

/** What becomes of a worker inside the console. `keep`: it runs on as a service. */
export type QuitWish = 'leave' | 'keep';

/** Asks what becomes of the runs in flight before the console closes. */
export interface Leaving {
  /** Leaves at once where nothing hangs on it, else asks. */
  ask(): void;
  leave(): void;
  keep(): void;
  /** Asks once more, with the runs that would end. */
  askCancelAll(): void;
  /** Cancels those that were asked about, and leaves once none is in flight any more. */
  cancelAll(runs: readonly RunView[]): void;
}

type Intake = WorkerHealth['intake'];

interface LeavingTools {
  handle: WorkerHandle;
  store: Store;
  say: (tone: Message['tone'], text: string) => void;
  answer: (asked: () => Promise<CommandAnswer>) => void;
  quit: (wish: QuitWish) => void;
}

export function createLeaving({ handle, store, say, answer, quit }: LeavingTools): Leaving {
  /** Girder is to be told how they ended, so the worker stays until they have. */
  const leaveWhenEmpty = (): void => {
    const stop = handle.subscribe(look);
    function look(): void {
      const { inFlight, intake } = handle.snapshot().health;
      // who opens it again has thought better of it
      const isOpen = intake === 'open' || intake === 'full';
      if (inFlight > 0 && !isOpen) return;
      stop();
      if (!isOpen) quit('leave');
    }
    look();
  };

  /** All that are still in flight: one that has ended since the question was asked is no refusal. */
  const cancel = async (runs: readonly RunView[]): Promise<CommandAnswer> => {
    const alive = new Set(unfinished().map(({ id }) => id));
    const ids = runs.map(({ id }) => id).filter((id) => alive.has(id));
    if (ids.length === 0) return { ok: true, said: '' };
    try {
      return await handle.act({ kind: 'cancel', runs: ids, jobs: [] });
    } catch (thrown) {
      return { ok: false, said: errorLine(thrown) };
    }
  };

  /** Nobody leaves, so tasks are taken as before, unless somebody has decided about that meanwhile. Resolves with words about it. */
  const putIntakeBack = async (before: Intake): Promise<string> => {
    if (before === 'draining' || handle.snapshot().health.intake !== 'draining') return '';
    const { ok, said } = before === 'paused' ? await handle.pause() : await handle.resume();
    return ok
      ? `, the intake ${before === 'paused' ? 'paused' : 'open'} again`
      : `, the intake closed (${said})`;
  };

  const unfinished = (): readonly RunView[] =>
    handle.snapshot().runs.filter(({ stage }) => stage !== 'finished');

  return {
    ask() {
      const { snapshot, afterwards } = store.get();
      if (snapshot.health.inFlight === 0 || afterwards === 'goesOn') quit('leave');
      else store.dispatch({ type: 'quitAsked' });
    },
    leave: () => quit('leave'),
    keep() {
      if (store.get().afterwards === 'stopsOrKept') return quit('keep');
      store.dispatch({ type: 'back' });
      say('warning', 'This worker cannot run on without its console.');
    },
    askCancelAll() {
      store.dispatch({ type: 'quitCancelAsked', runs: unfinished() });
    },
    cancelAll(runs) {
      store.dispatch({ type: 'back' });
      const what = counted(runs.length, 'run');
      say('warning', `Canceling ${what} …`);
      answer(async () => {
        const before = handle.snapshot().health.intake;
        // what came after the question shall neither begin nor end here
        const drained = await handle.drain();
        if (!drained.ok) return drained;
        const { ok, said } = await cancel(runs);
        if (!ok) {
          const intake = await putIntakeBack(before);
          return { ok, said: `Not all of ${what} canceled, and the console stays${intake}: ${said.trim()}` };
        }
        leaveWhenEmpty();
        return { ok, said: `${what} canceled. The console closes when nothing is in flight any more.` };
      });
    },
  };
}
