import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import { isExamining, type DoctorPort } from '../state/doctor-state.js';
import { counted } from '../views/format.js';
import type { Message } from '../state/state.js';
import type { Store } from '../state/store.js';

export interface DoctorSources {
  store: Store;
  clock: Clock;
  /** Loads the doctor; absent: this console has none. */
  load: (() => Promise<DoctorPort>) | undefined;
  /** Aborts when the console ends. */
  over: AbortSignal;
  say: (tone: Message['tone'], text: string) => void;
}

export interface DoctorCommands {
  /** The view is opened: everything is asked unless something was before. */
  opened(): void;
  /** Asks again: the check of the page, the marked ones, or all of them. */
  again(): void;
}

export function createDoctorCommands({ store, clock, load, over, say }: DoctorSources): DoctorCommands {
  const examine = async (wanted: readonly string[] | null): Promise<void> => {
    let trouble: string | null = null;
    try {
      if (load === undefined) throw new Error('This console was opened without a doctor.');
      store.dispatch({
        type: 'doctorBegan',
        checks: store.get().doctor.checks,
        ids: wanted,
        now: clock.now(),
      });
      const { checks, run } = await load();
      store.dispatch({ type: 'doctorBegan', checks, ids: wanted, now: clock.now() });
      await run(wanted, (result) => store.dispatch({ type: 'doctorFound', result, now: clock.now() }), over);
    } catch (thrown) {
      trouble = errorLine(thrown);
    }
    if (!over.aborted) store.dispatch({ type: 'doctorEnded', trouble, now: clock.now() });
  };

  return {
    opened() {
      const { doctor } = store.get();
      if (!isExamining(doctor) && doctor.results.size === 0) void examine(null);
    },
    again() {
      const { doctor, place, tables } = store.get();
      if (isExamining(doctor)) return say('warning', 'The doctor is still at it.');
      const marked = [...tables.doctor.marked];
      const ids = place.view === 'item' ? [place.id] : marked.length === 0 ? null : marked;
      if (ids !== null) say('good', `Asking ${counted(ids.length, 'check')} again, and what they need.`);
      return void examine(ids);
    },
  };
}
