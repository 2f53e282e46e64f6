import type { CommandAnswer, RunView, WorkerHandle } from '../worker/handle.js';
import { counted } from './format.js';
import type { Message } from './state.js';
import type { Store } from './store.js';

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
      const runs = handle.snapshot().runs.filter(({ stage }) => stage !== 'finished');
      store.dispatch({ type: 'quitCancelAsked', runs });
    },
    cancelAll(runs) {
      store.dispatch({ type: 'back' });
      const what = counted(runs.length, 'run');
      say('warning', `Canceling ${what} …`);
      answer(async () => {
        // what came after the question shall neither begin nor end here
        const drained = await handle.drain();
        if (!drained.ok) return drained;
        const ids = runs.map(({ id }) => id);
        const { ok, said } = await handle.act({ kind: 'cancel', runs: ids, jobs: [] });
        if (!ok) return { ok, said: `Not all of ${what} canceled, and the intake is closed: ${said.trim()}` };
        leaveWhenEmpty();
        return { ok, said: `${what} canceled. The console closes when nothing is in flight any more.` };
      });
    },
  };
}
