import type { Clock } from '../../base/clock.js';
import type { LogTail, WorkerHandle } from '../../worker/views/handle.js';
import type { Watched } from '../../worker/views/live-views.js';
import { followDetails } from './details.js';
import { followImages } from './image-subscription.js';
import type { ConsoleState } from '../state/state.js';
import type { Store } from '../state/store.js';
import { tableViews } from '../views/tables.js';

/** The screen changes at most ten times a second, however much happens. */
const frameMs = 100;
/** Ages count in seconds. */
const tickMs = 1_000;
/** A log is opened when the selection has rested on its row for so long: not for every row that is passed. */
const restMs = 150;

/** Calls `act` now, and for all calls within the next `ms` once more at their end. */
export function coalesce(act: () => void, ms: number): { call(): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let again = false;
  const run = (): void => {
    again = false;
    timer = setTimeout(() => {
      timer = null;
      if (again) run();
    }, ms);
    act();
  };
  return {
    call() {
      if (timer === null) run();
      else again = true;
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      again = false;
    },
  };
}

/** Brings a worker's news, its logs and the time into the store. Returns the way to stop. */
export function startFeed(handle: WorkerHandle, store: Store, clock: Clock): () => void {
  const news = coalesce(
    () => store.dispatch({ type: 'snapshot', snapshot: handle.snapshot(), now: clock.now() }),
    frameMs,
  );
  const tick = setInterval(() => store.dispatch({ type: 'tick', now: clock.now() }), tickMs);
  const stopNews = handle.subscribe(() => news.call());
  const stopLog = followSelection(handle, store);
  const stopDetails = followDetails(handle, store);
  const stopImages = followImages(handle, store);
  const stopWatching = watchForView(handle, store, clock);
  return () => {
    stopNews();
    stopLog();
    stopDetails();
    stopImages();
    stopWatching();
    news.stop();
    clearInterval(tick);
  };
}

/** What the view that is shown needs besides the snapshot. */
export function watchesOf({
  place,
  scope,
}: Pick<ConsoleState, 'place' | 'scope'>): readonly (keyof Watched)[] {
  switch (place.view) {
    case 'job':
    case 'jobs':
      // Slurm is asked about everybody's jobs only while somebody looks at them
      return scope === 'all' ? ['allJobs'] : [];
    case 'worker':
      return ['worker'];
    case 'item':
      return tableViews[place.table].needs;
    default:
      return tableViews[place.view].needs;
  }
}

/** Asks for what the view that is shown needs, and for nothing else: some of it costs questions to Slurm. */
function watchForView(handle: WorkerHandle, store: Store, clock: Clock): () => void {
  const watching = new Map<keyof Watched, () => void>();
  const want = (): void => {
    const needed = watchesOf(store.get());
    for (const [what, stop] of watching) {
      if (needed.includes(what)) continue;
      watching.delete(what);
      stop();
    }
    for (const what of needed) {
      if (watching.has(what)) continue;
      // a first view comes within the call, and brings us here again
      watching.set(what, () => undefined);
      watching.set(
        what,
        handle.watch(what, (view) => store.dispatch({ type: 'watched', what, view, now: clock.now() })),
      );
    }
  };
  const unsubscribe = store.subscribe(want);
  want();
  return () => {
    unsubscribe();
    for (const stop of watching.values()) stop();
  };
}

/** Follows the log that the log pane asks for: one at a time, none while the pane is closed. */
function followSelection(handle: WorkerHandle, store: Store): () => void {
  let wanted: string | null = null;
  let stop: (() => void) | null = null;
  const want = (): void => {
    const logId = store.get().log?.logId ?? null;
    if (logId === wanted) return;
    stop?.();
    wanted = logId;
    stop = logId === null ? null : follow(handle, store, logId);
  };
  const unsubscribe = store.subscribe(want);
  want();
  return () => {
    unsubscribe();
    stop?.();
  };
}

function follow(handle: WorkerHandle, store: Store, logId: string): () => void {
  let tail: LogTail | null = null;
  let unfollow: (() => void) | null = null;
  const lines = coalesce(() => {
    if (tail !== null) store.dispatch({ type: 'tail', logId, tail });
  }, frameMs);
  const rest = setTimeout(() => {
    unfollow = handle.followLog(logId, (latest) => {
      tail = latest;
      lines.call();
    });
  }, restMs);
  return () => {
    clearTimeout(rest);
    lines.stop();
    unfollow?.();
  };
}
