import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { createRequestQueue } from './latest-request.js';

/** Minimum pause between two queries for the same script. */
const minGapMs = 2_000;

/** Loads the batch script for its page, when it opens and when the operator refreshes it. @returns a function that stops it */
export function subscribeJobScript(handle: WorkerHandle, store: Store): () => void {
  const requests = createRequestQueue(minGapMs);
  const update = (): void => {
    const { place, refreshCount } = store.get();
    if (place.view !== 'script') return requests.cancel();
    const { jobId } = place;
    return requests.request([jobId, refreshCount], async () => {
      const script = await handle.jobScript(jobId);
      return () => store.dispatch({ type: 'jobScriptReceived', script });
    });
  };
  const unsubscribe = store.subscribe(update);
  update();
  return () => {
    unsubscribe();
    requests.cancel();
  };
}
