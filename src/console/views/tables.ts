import type { TableName } from '../state/state.js';
import { doctorView } from './doctor.js';
import { historyView } from './history.js';
import { imagesView } from './images.js';
import { jobsView } from './jobs.js';
import { nodesView } from './nodes.js';
import { partitionsView } from './partitions.js';
import type { TableView } from './table-view.js';

/** Every table by its name. */
export const tableViews: Readonly<Record<TableName, TableView>> = {
  jobs: jobsView,
  nodes: nodesView,
  partitions: partitionsView,
  history: historyView,
  images: imagesView,
  doctor: doctorView,
};
