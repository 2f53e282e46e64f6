import { csvText } from '../../base/text/csv.js';
import type { Batch } from '../../worker/batches/summary.js';
import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { selectedItem } from '../table/table-state.js';
import { pluralize } from '../views/format.js';
import { batchTitle } from '../views/tables/batches.js';
import type { BatchCommands, HostServices, Notify, ShowAnswer } from './command.js';
import { actionMessages } from './row-actions.js';

interface BatchCommandOptions {
  handle: WorkerHandle;
  store: Store;
  host: Pick<HostServices, 'saveFile'>;
  notify: Notify;
  showAnswer: ShowAnswer;
}

export function createBatchCommands({
  handle,
  store,
  host,
  notify,
  showAnswer,
}: BatchCommandOptions): BatchCommands {
  const selected = (): Batch | null => {
    const { place, tables } = store.get();
    return place.view === 'batches' ? (selectedItem(tables.batches)?.batch ?? null) : null;
  };
  /** Calls `act` with the selected batch; says what is missing if there is none. */
  const withBatch = (act: (batch: Batch) => void): void => {
    const batch = selected();
    if (batch === null) notify('warning', 'Select a batch first (:batches).');
    else act(batch);
  };

  return {
    ask: (kind) =>
      withBatch((batch) => {
        const runs = kind === 'cancel' ? batch.unfinished : failedOf(batch);
        if (runs.length > 0)
          return store.dispatch({ type: 'confirmOpened', target: { request: { kind }, batch, runs } });
        const reason =
          kind === 'cancel' ? 'all slides of this batch have ended' : 'no slide of this batch has failed';
        return notify('warning', `Nothing to ${kind}: ${reason}.`);
      }),
    perform({ request, batch, runs }) {
      const { done, refused } = actionMessages(request);
      const name = `${pluralize(runs.length, 'slide')} of ${batchTitle(batch)}`;
      notify('warning', `${done} ${name} …`);
      showAnswer(async () => {
        const { ok, message } = await handle.act({ ...request, runs: [...runs], jobs: [] });
        const answer = message.trim() || (ok ? 'accepted' : 'refused without a reason');
        return { ok, message: `${ok ? done : refused} ${name}: ${answer}` };
      });
    },
    openPage: () =>
      withBatch(({ id }) =>
        store.dispatch({
          type: 'navigated',
          place: { view: 'item', table: 'batches', id, top: 0 },
          deeper: true,
        }),
      ),
    exportFailures: (words) =>
      withBatch((batch) => {
        const failed = failedOf(batch);
        if (failed.length === 0) return notify('warning', 'No slide of this batch has failed.');
        const { now, snapshot } = store.get();
        const timestamp = new Date(now).toISOString().replaceAll(/[:.]/gu, '-');
        const name = words.length === 0 ? `dsa-slurm-failures-${timestamp}.csv` : words.join(' ');
        const runs = new Map(snapshot.runs.map((run) => [run.id, run]));
        const rows = batch.failures.flatMap(({ reason, runs: ids }) =>
          ids.map((id) => {
            const { girderJobId, jobId, title } = runs.get(id) ?? {};
            return [id, girderJobId ?? '', jobId ?? '', title ?? '', reason];
          }),
        );
        return showAnswer(async () => {
          const text = csvText([['run', 'girder_job', 'slurm_job', 'title', 'reason'], ...rows]);
          const path = await host.saveFile(name, text);
          return { ok: true, message: `${pluralize(failed.length, 'failed slide')} written to ${path}` };
        });
      }),
  };
}

function failedOf({ failures }: Batch): string[] {
  return failures.flatMap(({ runs }) => runs);
}
