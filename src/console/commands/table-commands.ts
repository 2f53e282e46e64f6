import { exportText } from '../data/export.js';
import type { Store } from '../state/action.js';
import {
  isTable,
  pageItem,
  pageRow,
  tableNameOf,
  tableOf,
  type Place,
  type TableName,
} from '../state/state.js';
import { selectedItem, targetItems } from '../table/table-state.js';
import type { Item, Table } from '../table/table.js';
import { chooseTheme } from '../terminal/theme.js';
import { pluralize } from '../views/format.js';
import { tableLayoutOptions } from '../views/table.js';
import { currentView, tableView } from '../views/tables/all-tables.js';
import type { HostServices, Notify, ShowAnswer, TableCommands } from './command.js';

interface TableCommandOptions {
  store: Store;
  host: Pick<HostServices, 'saveFile' | 'copyToClipboard'>;
  notify: Notify;
  showAnswer: ShowAnswer;
}

export function createTableCommands({ store, host, notify, showAnswer }: TableCommandOptions): TableCommands {
  const table = (): Table => currentView(store.get()).table;
  const notifyUnknownColumn = (ids: readonly string[]): void =>
    notify('bad', `Unknown column ${ids.join(', ')}. Columns: ${table().columnIds.join(', ')}.`);

  const countVisibleColumns = (): number =>
    table()
      .heading(tableLayoutOptions(store.get()), chooseTheme({}))
      .spans.filter(({ text }) => text.trim() !== '').length;

  return {
    open() {
      const state = store.get();
      const item = selectedItem(tableOf(state));
      if (item === null || !isTable(state.place)) return;
      store.dispatch({ type: 'navigated', place: placeOf(state.place.view, item), deeper: true });
    },
    reverseSort() {
      const { sorting } = tableOf(store.get());
      if (sorting === null) notify('warning', 'The table is in its default order. Press s to sort.');
      else store.dispatch({ type: 'sortedBy', column: sorting.column });
    },
    toggleWide() {
      const before = countVisibleColumns();
      store.dispatch({ type: 'wideToggled' });
      if (!tableOf(store.get()).wide || countVisibleColumns() > before) return;
      if (before === table().columnIds.length) notify('good', 'All columns are visible.');
      else notify('warning', 'No more columns fit. Use a wider terminal, or choose with :columns.');
    },
    sortByLetter(key) {
      const column = table().sortKeys.get(key);
      if (column !== undefined) store.dispatch({ type: 'sortedBy', column });
    },
    sortByName([column, direction]) {
      if (column === undefined) return store.dispatch({ type: 'sortedBy', column: null });
      if (!table().columnIds.includes(column)) return notifyUnknownColumn([column]);
      return store.dispatch({ type: 'sortedBy', column, descending: direction === 'desc' });
    },
    chooseColumns(words) {
      const chosen = words.join(',').split(',').filter(Boolean);
      const unknown = chosen.filter((id) => !table().columnIds.includes(id));
      if (unknown.length > 0) return notifyUnknownColumn(unknown);
      store.dispatch({ type: 'columnsChosen', columns: chosen.length === 0 ? null : chosen });
    },
    exportRows([format, ...names]) {
      if (format !== 'csv' && format !== 'json') return notify('bad', 'Use :export csv or :export json.');
      const state = store.get();
      const timestamp = new Date(state.now).toISOString().replaceAll(/[:.]/gu, '-');
      const name =
        names.length === 0 ? `dsa-slurm-${tableNameOf(state)}-${timestamp}.${format}` : names.join(' ');
      showAnswer(async () => {
        const path = await host.saveFile(name, exportText(state, format));
        return { ok: true, message: `${pluralize(tableOf(state).shown.length, 'row')} written to ${path}` };
      });
    },
    copyIds() {
      const state = store.get();
      const onPage = pageRow(state) ?? pageItem(state);
      const items = onPage === null ? targetItems(tableOf(state)) : [onPage];
      const ids = items.map((item) => currentView(state).copyText(item)).filter(Boolean);
      if (ids.length === 0) return notify('warning', 'There is nothing to copy.');
      host.copyToClipboard(ids.join('\n'));
      // "sent", because terminals do not confirm: some ask their user first, some ignore it
      notify('good', `Sent to the clipboard: ${ids.join(' ')}`);
    },
  };
}

function placeOf(table: TableName, item: Item): Place {
  const target = tableView(table).openTarget(item);
  switch (target.kind) {
    case 'page':
      return { view: 'item', table, id: item.id, top: 0 };
    case 'run':
      return { view: 'job', rowId: target.rowId, top: 0 };
    case 'table':
      return { view: target.table, drillDownQuery: target.query };
  }
}
