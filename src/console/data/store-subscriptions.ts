import type { Clock } from '../../base/clock.js';
import type { LogTail, WorkerHandle } from '../../worker/views/handle.js';
import type { LiveViews } from '../../worker/views/live-views.js';
import type { Store } from '../state/action.js';
import { paneRow } from '../state/layout.js';
import { logIdOf, type ConsoleState } from '../state/state.js';
import { latestViews } from '../state/worker-data-reducer.js';
import { clusterUseColumns } from '../views/cluster-use.js';
import { tableView } from '../views/tables/all-tables.js';
import { subscribeImageDetails } from './image-subscription.js';
import { subscribeJobScript } from './job-script.js';
import { subscribeRowDetails } from './row-details.js';

/** The data on screen changes at most ten times per second. */
const updateMs = 100;
/** Ages are shown in seconds. */
const tickMs = 1_000;
/** A log is opened once the cursor has rested on its row for this long, not for every row that it passes. */
const restMs = 150;

/** Calls `act` at once, and then at most once per `ms` for all further calls. */
export function coalesce(act: () => void, ms: number): { call(): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let isPending = false;
  const run = (): void => {
    isPending = false;
    timer = setTimeout(() => {
      timer = null;
      if (isPending) run();
    }, ms);
    act();
  };
  return {
    call() {
      if (timer === null) run();
      else isPending = true;
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      isPending = false;
    },
  };
}

/** Keeps the store up to date with the worker, its logs and the time. @returns a function that stops it */
export function subscribeStore(handle: WorkerHandle, store: Store, clock: Clock): () => void {
  const updates = coalesce(
    () => store.dispatch({ type: 'snapshot', snapshot: handle.snapshot(), now: clock.now() }),
    updateMs,
  );
  const tick = setInterval(() => store.dispatch({ type: 'tick', now: clock.now() }), tickMs);
  const stops = [
    handle.subscribe(() => updates.call()),
    subscribeLog(handle, store),
    subscribeRowDetails(handle, store),
    subscribeImageDetails(handle, store),
    subscribeJobScript(handle, store),
    subscribeViews(handle, store, clock),
  ];
  return () => {
    for (const stop of stops) stop();
    updates.stop();
    clearInterval(tick);
  };
}

/** The use of the cluster in the status line is this old at most; it costs one Slurm query each time. */
const clusterAgeMs = 60_000;
/** The same after a job of the worker has started or ended since: the line must not say "0 CPUs" beside running jobs. */
const changedClusterAgeMs = 10_000;

/** The live views that the console needs at present. */
function viewsNeeded(state: ConsoleState): ReadonlySet<keyof LiveViews> {
  return new Set([...viewsOfPlace(state), ...(needsClusterUse(state) ? (['cluster'] as const) : [])]);
}

function needsClusterUse(state: ConsoleState): boolean {
  const { now, size, snapshot } = state;
  if (size.columns < clusterUseColumns || snapshot.executor !== 'slurm') return false;
  const at = latestViews(state).cluster?.at ?? null;
  if (at === null || now - at > clusterAgeMs) return true;
  return (
    now - at > changedClusterAgeMs &&
    snapshot.runs.some(({ stage, stageSince }) => stageSince > at && stagesOnNodes.has(stage))
  );
}

/** A run that enters one of these has taken or freed a node. */
const stagesOnNodes: ReadonlySet<string> = new Set(['running', 'collecting', 'finished']);

function viewsOfPlace({ place, scope, tables }: ConsoleState): readonly (keyof LiveViews)[] {
  switch (place.view) {
    case 'job':
    case 'jobs':
      return [
        // listing the jobs of all users makes the Slurm query larger
        ...(scope === 'all' ? (['allJobs'] as const) : []),
        // to know which rows belong to a batch, thousands of ids are sent
        ...(/\bbatch(=|!=|~)/.test(tables.jobs.query.text) ? (['batches'] as const) : []),
      ];
    case 'scheduler':
      return ['scheduler'];
    case 'accounting':
      return ['accounting'];
    case 'script':
      return [];
    case 'worker':
      return ['worker'];
    case 'item':
      return tableView(place.table).liveViews;
    default:
      return tableView(place.view).liveViews;
  }
}

/** Subscribes only to live views that are visible, because some of them cost Slurm queries. */
function subscribeViews(handle: WorkerHandle, store: Store, clock: Clock): () => void {
  const subscriptions = new Map<keyof LiveViews, () => void>();
  const update = (): void => {
    const needed = viewsNeeded(store.get());
    for (const [name, stop] of subscriptions) {
      if (needed.has(name)) continue;
      subscriptions.delete(name);
      stop();
    }
    for (const name of needed) {
      if (subscriptions.has(name)) continue;
      // `watch` may report at once, which calls this function again: reserve the entry first
      subscriptions.set(name, () => undefined);
      subscriptions.set(
        name,
        handle.watch(name, (view) =>
          store.dispatch({ type: 'liveViewChanged', name, view, now: clock.now() }),
        ),
      );
    }
  };
  const unsubscribe = store.subscribe(update);
  update();
  return () => {
    unsubscribe();
    for (const stop of subscriptions.values()) stop();
  };
}

/** Follows the log of the open log pane, or of the row in the pane beside the table. */
function subscribeLog(handle: WorkerHandle, store: Store): () => void {
  let current: string | null = null;
  let stop: (() => void) | null = null;
  const update = (): void => {
    const state = store.get();
    const logId = state.log === null ? logIdOf(paneRow(state)) : state.log.logId;
    if (logId === current) return;
    stop?.();
    current = logId;
    stop = logId === null ? null : followLog(handle, store, logId);
  };
  const unsubscribe = store.subscribe(update);
  update();
  return () => {
    unsubscribe();
    stop?.();
  };
}

function followLog(handle: WorkerHandle, store: Store, logId: string): () => void {
  let tail: LogTail | null = null;
  let unfollow: (() => void) | null = null;
  const updates = coalesce(() => {
    if (tail !== null) store.dispatch({ type: 'tailReceived', logId, tail });
  }, updateMs);
  const rest = setTimeout(() => {
    unfollow = handle.followLog(logId, (latest) => {
      tail = latest;
      updates.call();
    });
  }, restMs);
  return () => {
    clearTimeout(rest);
    updates.stop();
    unfollow?.();
  };
}
