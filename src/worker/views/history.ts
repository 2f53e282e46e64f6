import type { Clock } from '../../base/clock.js';
import { stateText } from '../../slurm/states.js';
import type { RunStore } from '../run-state/run-store.js';
import type { RunView } from './handle.js';
import type { Run, Stage } from '../run-state/run.js';
import type { HistoryRow, HistoryView } from './live-views.js';
import type { Watch } from './watch.js';

/** Finished runs with their durations, newest first, as far as the run store remembers them. */
export function watchHistory(
  runStore: RunStore,
  viewOf: (run: Run) => RunView,
  clock: Clock,
): Watch<HistoryView> {
  const known = new WeakMap<Run, HistoryRow>();
  const stops = new Set<() => void>();
  const rowOf = (run: Run): HistoryRow => {
    const row = known.get(run) ?? historyRow(run, viewOf(run));
    known.set(run, row);
    return row;
  };
  const currentView = (): HistoryView => ({
    rows: [...runStore.all()]
      .filter(({ stage }) => stage === 'finished')
      .sort((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0))
      .map(rowOf),
    at: clock.now(),
    problem: null,
  });
  return {
    listen(listener) {
      let timer: NodeJS.Timeout | null = null;
      const update = (): void => {
        timer = null;
        listener(currentView());
      };
      const unsubscribe = runStore.subscribe(({ stage }) => {
        if (stage === 'finished') timer ??= setTimeout(update, 500);
      });
      const stop = (): void => {
        if (timer !== null) clearTimeout(timer);
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

/** The durations of a finished run. Pure. */
export function historyRow(run: Run, view: RunView): HistoryRow {
  const times = timesOf(run, run.finishedAt ?? run.stageSince);
  const sum = (...stages: Stage[]): number | null => {
    const spent = stages.flatMap((stage) => times.get(stage) ?? []);
    return spent.length === 0 ? null : spent.reduce((total, ms) => total + ms, 0);
  };
  return {
    run: view,
    preparingMs: sum('accepted', 'staging', 'submitting'),
    waitingMs: sum('queued'),
    runningMs: sum('running'),
    collectingMs: sum('collecting'),
    totalMs: (run.finishedAt ?? run.stageSince) - run.acceptedAt,
    jobState: run.end === null || run.end.state.base === '' ? null : stateText(run.end.state),
    exitCode: run.end?.exitCode?.code ?? null,
  };
}

/** Total milliseconds that a run was in each stage. */
function timesOf({ stages }: Run, until: number): Map<Stage, number> {
  const times = new Map<Stage, number>();
  for (const [index, { stage, at }] of stages.entries()) {
    const spent = (stages[index + 1]?.at ?? until) - at;
    times.set(stage, (times.get(stage) ?? 0) + spent);
  }
  return times;
}
