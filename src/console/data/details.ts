import type { WorkerHandle } from '../../worker/views/handle.js';
import type { JobDetail, RunDetail } from '../../worker/views/live-views.js';
import { createAsker } from '../commands/latest-request.js';
import { pageRow, type ConsoleState } from '../state/state.js';
import type { Store } from '../state/store.js';

/** What the page about a row shows besides the row itself; null: not known, or not yet. */
export interface Details {
  rowId: string;
  run: RunDetail | null;
  job: JobDetail | null;
}

/** A state that flickers asks Slurm no more often than this. */
const shortestGapMs = 2_000;

/**
 * Asks for everything about the row of the open page: of the worker whenever its run has changed, of Slurm when the page
 * is opened, when the job's state has changed, and when the operator wants it. Returns the way to stop.
 */
export function followDetails(handle: WorkerHandle, store: Store): () => void {
  const run = createAsker(0);
  const job = createAsker(shortestGapMs);
  const look = (): void => {
    const state = store.get();
    const row = pageRow(state);
    if (row === null) {
      run.forget();
      job.forget();
      return;
    }
    const { id: rowId } = row;
    const runId = row.run?.id ?? null;
    if (runId !== null) {
      run.want([rowId, row.run], async () => {
        const answer = await handle.runDetail(runId);
        // what is known stays while nobody can tell more
        return () => {
          if (answer.ok) store.dispatch({ type: 'runDetailCame', rowId, detail: answer.detail });
        };
      });
    }
    const jobId = row.job?.id ?? row.run?.jobId ?? null;
    if (jobId !== null) {
      const word = row.job === null ? 'gone' : [row.job.state.base, ...row.job.state.flags].join('+');
      job.want([rowId, jobId, word, state.asked], async () => {
        const detail = await handle.jobDetail(jobId);
        return () => store.dispatch({ type: 'jobDetailCame', rowId, detail });
      });
    }
  };
  const unsubscribe = store.subscribe(look);
  look();
  return () => {
    unsubscribe();
    run.forget();
    job.forget();
  };
}

/** What is known of the row of the open page. */
export function detailsOf({ details, place }: Pick<ConsoleState, 'details' | 'place'>): Details | null {
  return place.view === 'job' && details?.rowId === place.rowId ? details : null;
}
