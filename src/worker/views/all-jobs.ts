import type { Tracker } from '../../slurm/tracker.js';
import type { JobsView } from './handle.js';
import type { Watch } from './watch.js';

/** The jobs of all users: while somebody looks, the tracker's own question is about them. */
export function watchAllJobs(tracker: Tracker): Watch<JobsView> {
  const stops = new Set<() => void>();
  return {
    listen(listener) {
      let last: JobsView | null = null;
      const tell = (): void => {
        const view = tracker.allJobs();
        if (view === last) return;
        last = view;
        listener(view);
      };
      const narrow = tracker.includeAllUsers();
      const deaf = tracker.onAnswer(tell);
      const stop = (): void => {
        narrow();
        deaf();
        stops.delete(stop);
      };
      stops.add(stop);
      tell();
      return stop;
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}
