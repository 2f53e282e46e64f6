/** Batches on the command line, from the journal. */
export { adviseResources } from './advise.js';
export { renderAdvice } from './render-advice.js';
export { findBatch, readBatches, type JournalBatches } from './read-batches.js';
export { failedRuns, failuresCsv, renderBatch, renderBatches, renderBatchSource } from './render.js';
export type { Batch } from './summary.js';
