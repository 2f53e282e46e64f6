import type { Tracker } from '../../slurm/tracker.js';
import type { JobsView } from './handle.js';
import type { Watch } from './watch.js';

/** The jobs of all users: while there are listeners, the tracker polls the jobs of all users. */
export function watchAllJobs(tracker: Tracker): Watch<JobsView> {
  const stops = new Set<() => void>();
  return {
    listen(listener) {
      let last: JobsView | null = null;
      const update = (): void => {
        const view = tracker.allJobs();
        if (view === last) return;
        last = view;
        listener(view);
      };
      const excludeOthers = tracker.includeAllUsers();
      const unsubscribe = tracker.onAnswer(update);
      const stop = (): void => {
        excludeOthers();
        unsubscribe();
        stops.delete(stop);
      };
      stops.add(stop);
      update();
      return stop;
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}
