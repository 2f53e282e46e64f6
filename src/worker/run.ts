/** Where a run is. */
export type Stage = 'accepted' | 'staging' | 'submitting' | 'queued' | 'running' | 'collecting' | 'finished';

/** How a run finished. */
export type Outcome = 'succeeded' | 'failed' | 'canceled';
