import type { WorkerSnapshot } from '../../worker/views/handle.js';
import type { JobDetail, JobScript, LiveViews } from '../../worker/views/live-views.js';
import { tableViews } from '../views/tables/all-tables.js';
import { recompute, withRows } from './derive-state.js';
import { mergeRows } from './rows.js';
import { listedJobs, tableNameOf, tableNames, type ConsoleState, type RowDetails } from './state.js';

/** While the screen is frozen, the snapshot is held back. */
export function applySnapshot(state: ConsoleState, snapshot: WorkerSnapshot, now: number): ConsoleState {
  if (state.frozen !== null) return { ...state, now, frozen: { ...state.frozen, snapshot } };
  const isSame = snapshot === state.snapshot && now === state.now;
  const next = withJobRows(isSame ? state : { ...state, snapshot, now }, state);
  const name = tableNameOf(next);
  const runsChanged = tableViews[name].readsRuns === true && snapshot.runs !== state.snapshot.runs;
  return recompute(runsChanged ? withRows(next, [name]) : next);
}

/** Merges the rows of runs and jobs again if anything that they are made of has changed. */
export function withJobRows(state: ConsoleState, before: ConsoleState): ConsoleState {
  const jobs = listedJobs(state);
  const isUnchanged =
    state.snapshot.runs === before.snapshot.runs &&
    jobs.rows === listedJobs(before).rows &&
    state.liveViews.batches === before.liveViews.batches &&
    state.scope === before.scope;
  if (isUnchanged) return state;
  const table = state.tables.jobs;
  const rows = mergeRows(state.snapshot, table.rows, {
    scope: state.scope,
    jobs,
    batches: state.liveViews.batches,
  });
  return rows === table.rows ? state : { ...state, tables: { ...state.tables, jobs: { ...table, rows } } };
}

/** The newest live views, including those held back by a frozen screen. */
export function latestViews({ frozen, liveViews }: ConsoleState): Partial<LiveViews> {
  return frozen?.liveViews ?? liveViews;
}

/** While the screen is frozen, the views are held back. */
export function applyLiveViews(
  state: ConsoleState,
  liveViews: Partial<LiveViews>,
  now: number,
): ConsoleState {
  if (state.frozen !== null) return { ...state, now, frozen: { ...state.frozen, liveViews } };
  const changed = tableNames.filter((name) =>
    tableViews[name].liveViews.some((view) => liveViews[view] !== state.liveViews[view]),
  );
  return recompute(withJobRows(withRows({ ...state, now, liveViews }, changed), state));
}

export function unfreeze(
  state: ConsoleState,
  { snapshot, liveViews }: NonNullable<ConsoleState['frozen']>,
): ConsoleState {
  return applySnapshot(applyLiveViews(state, liveViews, state.now), snapshot, state.now);
}

export function detailsFor({ details }: ConsoleState, rowId: string): RowDetails {
  return details?.rowId === rowId ? details : { rowId, run: null, job: null };
}

/** Keeps the script that is shown when Slurm does not answer or has purged the job. */
export function mergeJobScript({ jobScript: before }: ConsoleState, script: JobScript): JobScript {
  const isKept = script.at === null && before?.jobId === script.jobId && before.at !== null;
  return isKept ? { ...before, problem: script.problem } : script;
}

/** Keeps the last known job facts when Slurm does not answer or has purged the job. */
export function mergeJobDetail(state: ConsoleState, rowId: string, detail: JobDetail): RowDetails {
  const before = detailsFor(state, rowId);
  const kept = detail.at === null && before.job?.jobId === detail.jobId ? before.job : null;
  return { ...before, job: kept === null ? detail : { ...kept, problem: detail.problem } };
}
