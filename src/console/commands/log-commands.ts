import type { WorkerHandle } from '../../worker/views/handle.js';
import { counted } from '../views/format.js';
import { logPath } from './log-path.js';
import { actionRows, pageRow, selectedRow, type Message } from '../state/state.js';
import type { Store } from '../state/store.js';
import { rowTitle } from '../views/jobs.js';

/** Of so many rows the logs are looked up at most: of a job that is no run, Slurm is asked. */
const mostPaths = 50;

export interface LogCommandSources {
  handle: WorkerHandle;
  store: Store;
  copy: (text: string) => void;
  /** Shows a file in the operator's pager; resolves with why not, or null. */
  page: (path: string) => Promise<string | null>;
  say: (tone: Message['tone'], text: string) => void;
}

/** What keys and `:` do with the logs of runs and jobs, besides moving in the one that is open. */
export interface LogCommands {
  /** Opens the log of the selected row below the table, or closes it. */
  toggle(): void;
  /** The whole log of the row under the cursor, wherever that is, also where no log is open. */
  openInPager(): void;
  copyPaths(): void;
}

export function createLogCommands({ handle, store, copy, page, say }: LogCommandSources): LogCommands {
  return {
    toggle() {
      if (store.get().place.view === 'jobs') store.dispatch({ type: 'logToggled' });
      else say('warning', 'A log opens below the runs and jobs.');
    },
    openInPager() {
      const state = store.get();
      const { view } = state.place;
      const row = view === 'job' ? pageRow(state) : view === 'jobs' ? selectedRow(state) : null;
      if (row === null) return say('warning', 'There is no run or job here whose log could be opened.');
      void (async () => {
        const path = await logPath(handle, row);
        const trouble = path === null ? `No log of ${rowTitle(row)} is known yet.` : await page(path);
        if (trouble !== null) say('bad', trouble);
      })();
    },
    copyPaths() {
      const rows = actionRows(store.get());
      void (async () => {
        const found = await Promise.all(rows.slice(0, mostPaths).map(async (row) => logPath(handle, row)));
        const paths = found.filter((path) => path !== null);
        if (paths.length === 0) return say('warning', 'No log is known here.');
        copy(paths.join('\n'));
        const words = `${counted(paths.length, 'path')} to the clipboard of this terminal: ${paths.join(' ')}`;
        return say('good', `Sent ${words}`);
      })();
    },
  };
}
