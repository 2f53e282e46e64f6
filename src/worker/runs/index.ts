/** Runs on the command line, while a worker runs and while none does. */
export { openOffline, type OfflineRuns } from './offline.js';
export { renderRun, renderRuns, renderSource } from './render.js';
export type { RunsView } from './runs-view.js';
export { findRun, readSince, selectRuns, type RunFilter } from './select.js';
export { viewJournal } from './view-journal.js';
