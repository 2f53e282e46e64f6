import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import type { Row } from '../state/rows.js';
import { actionRows, jobIdOf, pageRow, selectedRow } from '../state/state.js';
import { pluralize } from '../views/format.js';
import { rowTitle } from '../views/tables/jobs.js';
import type { HostServices, LogCommands, Notify } from './command.js';

/** Maximum number of log paths to look up: for jobs without a run, each one is a Slurm query. */
const maxPaths = 50;

interface LogCommandOptions {
  handle: WorkerHandle;
  store: Store;
  host: Pick<HostServices, 'openPager' | 'copyToClipboard'>;
  notify: Notify;
}

export function createLogCommands({ handle, store, host, notify }: LogCommandOptions): LogCommands {
  return {
    toggle() {
      if (store.get().place.view === 'jobs') store.dispatch({ type: 'logToggled' });
      else notify('warning', 'Logs open in the table of runs and jobs. Press 1 to go there.');
    },
    toggleStderr() {
      if (store.get().place.view === 'jobs') store.dispatch({ type: 'stderrToggled' });
      else notify('warning', 'Logs open in the table of runs and jobs. Press 1 to go there.');
    },
    openScript() {
      const state = store.get();
      const { view } = state.place;
      const row = view === 'job' ? pageRow(state) : view === 'jobs' ? selectedRow(state) : null;
      const jobId = jobIdOf(row);
      if (jobId === null)
        return notify('warning', row === null ? 'Select a run or job first.' : 'It has no job yet.');
      return store.dispatch({
        type: 'navigated',
        place: { view: 'script', jobId, top: 0 },
        deeper: true,
      });
    },
    openInPager() {
      const state = store.get();
      const { view } = state.place;
      const row = view === 'job' ? pageRow(state) : view === 'jobs' ? selectedRow(state) : null;
      if (row === null) return notify('warning', 'Select a run or job to open its log.');
      void (async () => {
        const isStderr = view === 'jobs' && state.log?.isStderr === true;
        const path = await (isStderr ? stderrPath(handle, row) : logPath(handle, row));
        const error = path === null ? `No log of ${rowTitle(row)} is known yet.` : await host.openPager(path);
        if (error !== null) notify('bad', error);
      })();
    },
    copyPaths() {
      const rows = actionRows(store.get()).slice(0, maxPaths);
      void (async () => {
        const paths = (await Promise.all(rows.map(async (row) => logPath(handle, row)))).filter(
          (path) => path !== null,
        );
        if (paths.length === 0) return notify('warning', 'No log path is known here.');
        host.copyToClipboard(paths.join('\n'));
        return notify('good', `Sent ${pluralize(paths.length, 'path')} to the clipboard: ${paths.join(' ')}`);
      })();
    },
  };
}

/** Path of the standard error of a job; null if unknown. */
async function stderrPath(handle: Pick<WorkerHandle, 'jobDetail'>, row: Row): Promise<string | null> {
  const jobId = jobIdOf(row);
  if (jobId === null) return null;
  const { facts } = await handle.jobDetail(jobId);
  return new Map(facts).get('StdErr') ?? null;
}

/** Log path of a run (from the worker) or of another job (from Slurm); null if unknown. */
async function logPath(
  handle: Pick<WorkerHandle, 'runDetail' | 'jobDetail'>,
  { run, job }: Row,
): Promise<string | null> {
  if (run !== null) {
    const answer = await handle.runDetail(run.id);
    return answer.ok ? answer.detail.logFile : null;
  }
  const { facts } = await handle.jobDetail(job.id);
  return new Map(facts).get('StdOut') ?? null;
}
