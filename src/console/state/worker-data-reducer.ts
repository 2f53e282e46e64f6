import type { WorkerSnapshot } from '../../worker/views/handle.js';
import type { JobDetail, Watched } from '../../worker/views/live-views.js';
import type { Details } from '../data/details.js';
import { mergeRows, type Row } from './rows.js';
import { change, settle, withRows } from './derive-state.js';
import { jobsShown, tableNameOf, tableNames, type ConsoleState } from './state.js';
import { tableViews } from '../views/tables.js';

/** What the worker told: shown at once, or kept while the screen is frozen. */
export function snapshotCame(state: ConsoleState, snapshot: WorkerSnapshot, now: number): ConsoleState {
  if (state.frozen !== null) return { ...state, now, frozen: { ...state.frozen, news: snapshot } };
  const next = listed(change(state, { snapshot, now }), state);
  const name = tableNameOf(next);
  const tellsOfRuns = tableViews[name].readsRuns === true && snapshot.runs !== state.snapshot.runs;
  return settle(tellsOfRuns ? withRows(next, [name]) : next);
}

/** With the rows of runs and jobs anew, where what they come from is not what it was. */
export function listed(state: ConsoleState, before: ConsoleState): ConsoleState {
  const jobs = jobsShown(state);
  const unchanged =
    state.snapshot.runs === before.snapshot.runs &&
    jobs.rows === jobsShown(before).rows &&
    state.scope === before.scope;
  const table = state.tables.jobs;
  const rows = unchanged
    ? table.rows
    : mergeRows(state.snapshot, table.rows as readonly Row[], { scope: state.scope, jobs });
  return rows === table.rows ? state : { ...state, tables: { ...state.tables, jobs: { ...table, rows } } };
}

/** What is known by now, whether or not it is shown. */
export function heard({ frozen, watched }: ConsoleState): Partial<Watched> {
  return frozen?.watched ?? watched;
}

export function watchedCame(state: ConsoleState, watched: Partial<Watched>, now: number): ConsoleState {
  if (state.frozen !== null) return { ...state, now, frozen: { ...state.frozen, watched } };
  const news = tableNames.filter((name) =>
    tableViews[name].needs.some((what) => watched[what] !== state.watched[what]),
  );
  return settle(listed(withRows({ ...state, now, watched }, news), state));
}

/** The screen is no longer frozen: what was kept is shown. */
export function thawed(
  state: ConsoleState,
  { news, watched }: NonNullable<ConsoleState['frozen']>,
): ConsoleState {
  return snapshotCame(watchedCame(state, watched, state.now), news, state.now);
}

export function detailsFor({ details }: ConsoleState, rowId: string): Details {
  return details?.rowId === rowId ? details : { rowId, run: null, job: null };
}

/** While Slurm is silent, or has forgotten the job, what it said last stays. */
export function jobDetailCame(state: ConsoleState, rowId: string, detail: JobDetail): Details {
  const before = detailsFor(state, rowId);
  const kept = detail.at === null && before.job?.jobId === detail.jobId ? before.job : null;
  return { ...before, job: kept === null ? detail : { ...kept, trouble: detail.trouble } };
}
