import { tableNameOf, type ConsoleState, type TableName } from '../../state/state.js';
import type { TableRows } from '../../state/table-rows.js';
import { batchesView } from './batches.js';
import { doctorView } from './doctor.js';
import { historyView } from './history.js';
import { imagesView } from './images.js';
import { jobsView } from './jobs.js';
import { nodesView } from './nodes.js';
import { partitionsView } from './partitions.js';
import type { TableView } from './table-view.js';

export const tableViews: { readonly [Name in TableName]: TableView<TableRows[Name]> } = {
  jobs: jobsView,
  batches: batchesView,
  nodes: nodesView,
  partitions: partitionsView,
  history: historyView,
  images: imagesView,
  doctor: doctorView,
};

/** A view for code that works with any table. */
export function tableView(name: TableName): TableView {
  return tableViews[name];
}

/** The view of the table on screen, or of the one below the open page. */
export function currentView(state: ConsoleState): TableView {
  return tableView(tableNameOf(state));
}
