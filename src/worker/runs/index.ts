/** Runs on the command line, while a worker runs and while none does. */
export { openRuns, type Runs, type RunsAction } from './open-runs.js';
export { renderRun, renderRuns, renderSource } from './render.js';
export { findRunLog } from './run-log.js';
export type { RunsView } from './runs-view.js';
export { findRun, readSince, selectRuns, type RunFilter } from './select.js';
