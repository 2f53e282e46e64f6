import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Store } from '../state/action.js';
import { isDoctorRunning, type DoctorPort } from '../state/doctor-state.js';
import { pluralize } from '../views/format.js';
import type { DoctorCommands, Notify } from './command.js';

interface DoctorCommandOptions {
  store: Store;
  clock: Clock;
  /** Loads the doctor; undefined: this console has none. */
  load: (() => Promise<DoctorPort>) | undefined;
  /** Aborts when the console closes. */
  signal: AbortSignal;
  notify: Notify;
}

export function createDoctorCommands({
  store,
  clock,
  load,
  signal,
  notify,
}: DoctorCommandOptions): DoctorCommands {
  const runChecks = async (ids: readonly string[] | null): Promise<void> => {
    let error: string | null = null;
    try {
      if (load === undefined) throw new Error('The doctor is not available in this console.');
      store.dispatch({ type: 'doctorStarted', checks: store.get().doctor.checks, ids, now: clock.now() });
      const { checks, run } = await load();
      store.dispatch({ type: 'doctorStarted', checks, ids, now: clock.now() });
      await run(
        ids,
        (result) => store.dispatch({ type: 'doctorResultReceived', result, now: clock.now() }),
        signal,
      );
    } catch (thrown) {
      error = errorLine(thrown);
    }
    if (!signal.aborted) store.dispatch({ type: 'doctorFinished', error, now: clock.now() });
  };

  return {
    opened() {
      const { doctor } = store.get();
      if (!isDoctorRunning(doctor) && doctor.results.size === 0) void runChecks(null);
    },
    runAgain() {
      const { doctor, place, tables } = store.get();
      if (isDoctorRunning(doctor)) return notify('warning', 'The doctor is still running.');
      const marked = [...tables.doctor.marked];
      const ids = place.view === 'item' ? [place.id] : marked.length === 0 ? null : marked;
      if (ids !== null) {
        notify('good', `Running ${pluralize(ids.length, 'check')} again, with prerequisites.`);
      }
      return void runChecks(ids);
    },
  };
}
