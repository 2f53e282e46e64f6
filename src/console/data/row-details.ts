import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { paneRow } from '../state/layout.js';
import { pageRow, type ConsoleState, type RowDetails } from '../state/state.js';
import { createRequestQueue } from './latest-request.js';

/** Minimum pause between two Slurm queries, in case the job's state changes rapidly. */
const minGapMs = 2_000;

/**
 * Loads the details for the open page about a run or job, and for the pane beside the table: from the worker whenever the run changes; from Slurm when the page
 * opens, when the job's state changes and when the operator refreshes the page.
 * @returns a function that stops it
 */
export function subscribeRowDetails(handle: WorkerHandle, store: Store): () => void {
  const runRequests = createRequestQueue(0);
  const jobRequests = createRequestQueue(minGapMs);
  const cancel = (): void => {
    runRequests.cancel();
    jobRequests.cancel();
  };
  const update = (): void => {
    const state = store.get();
    const onPage = pageRow(state);
    const row = onPage ?? paneRow(state);
    if (row === null) return cancel();
    const { id: rowId, run, job } = row;
    if (run !== null) {
      runRequests.request([rowId, run], async () => {
        const answer = await handle.runDetail(run.id);
        return () => {
          if (answer.ok) store.dispatch({ type: 'runDetailReceived', rowId, detail: answer.detail });
        };
      });
    }
    // the pane follows the cursor: it must not cost a Slurm query per row
    const jobId = onPage === null ? null : (job?.id ?? run?.jobId ?? null);
    if (jobId === null) jobRequests.cancel();
    else {
      const jobState = job === null ? 'not listed' : [job.state.base, ...job.state.flags].join('+');
      jobRequests.request([rowId, jobId, jobState, state.refreshCount], async () => {
        const detail = await handle.jobDetail(jobId);
        return () => store.dispatch({ type: 'jobDetailReceived', rowId, detail });
      });
    }
  };
  const unsubscribe = store.subscribe(update);
  update();
  return () => {
    unsubscribe();
    cancel();
  };
}

/** The loaded details for the row of the open page. */
export function openPageDetails({
  details,
  place,
}: Pick<ConsoleState, 'details' | 'place'>): RowDetails | null {
  return place.view === 'job' && details?.rowId === place.rowId ? details : null;
}
