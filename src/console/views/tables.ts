import type { TableName } from '../state.js';
import { jobsView } from './jobs.js';
import type { TableView } from './table-view.js';

/** Every table by its name. */
export const tableViews: Readonly<Record<TableName, TableView>> = {
  jobs: jobsView,
};
