import { exportText } from '../data/export.js';
import { counted } from '../views/format.js';
import {
  isTable,
  pageItem,
  pageRow,
  tableNameOf,
  tableOf,
  type Message,
  type Place,
  type TableName,
} from '../state/state.js';
import type { Store } from '../state/store.js';
import { selectedItem, targetItems } from '../table/table-state.js';
import type { Item, Table } from '../table/table.js';
import { chooseTheme } from '../terminal/theme.js';
import type { TableView } from '../views/table-view.js';
import { lookOf } from '../views/table.js';
import { tableViews } from '../views/tables.js';

export interface TableCommandSources {
  store: Store;
  save: (name: string, text: string) => Promise<string>;
  copy: (text: string) => void;
  say: (tone: Message['tone'], text: string) => void;
  /** Waits for an answer and shows it. */
  answer: (asked: () => Promise<{ ok: boolean; said: string }>) => void;
}

/** What keys and `:` do to the table on screen, whichever it is. */
export interface TableCommands {
  /** Its columns are offered while a command is typed. */
  table(): Table;
  /** Enter: what there is to know of the selected row. */
  open(): void;
  reverseSort(): void;
  toggleWide(): void;
  /** Shift and the letter of a column. */
  sortByLetter(key: string): void;
  sortByName(words: readonly string[]): void;
  chooseColumns(words: readonly string[]): void;
  exportRows(words: readonly string[]): void;
  copyIds(): void;
}

export function createTableCommands(sources: TableCommandSources): TableCommands {
  const { store, save, copy, say, answer } = sources;
  const view = (): TableView => tableViews[tableNameOf(store.get())];
  const table = (): Table => view().table;
  const unknownColumn = (ids: readonly string[]): void =>
    say('bad', `No column ${ids.join(', ')}; there are ${table().columnIds.join(', ')}.`);

  /** How many columns there is room for. */
  const columnsShown = (): number =>
    table()
      .heading(lookOf(store.get()), chooseTheme({}))
      .spans.filter(({ text }) => text.trim() !== '').length;

  return {
    table,
    open() {
      const state = store.get();
      const item = selectedItem(tableOf(state));
      if (item === null || !isTable(state.place)) return;
      store.dispatch({ type: 'went', place: placeOf(state.place.view, item), deeper: true });
    },
    reverseSort() {
      const { sorting } = tableOf(store.get());
      if (sorting === null) say('warning', 'The table is in its own order; s sorts it.');
      else store.dispatch({ type: 'sortedBy', column: sorting.column });
    },
    toggleWide() {
      const before = columnsShown();
      store.dispatch({ type: 'wideToggled' });
      if (!tableOf(store.get()).wide || columnsShown() > before) return;
      if (before === table().columnIds.length) say('good', 'All columns are shown.');
      else say('warning', 'There is no room for more columns: a wider terminal has it, or :columns chooses.');
    },
    sortByLetter(key) {
      const column = table().sortKeys.get(key);
      if (column !== undefined) store.dispatch({ type: 'sortedBy', column });
    },
    sortByName([column, direction]) {
      if (column === undefined) return store.dispatch({ type: 'sortedBy', column: null });
      if (!table().columnIds.includes(column)) return unknownColumn([column]);
      return store.dispatch({ type: 'sortedBy', column, descending: direction === 'desc' });
    },
    chooseColumns(words) {
      const chosen = words.join(',').split(',').filter(Boolean);
      const unknown = chosen.filter((id) => !table().columnIds.includes(id));
      if (unknown.length > 0) return unknownColumn(unknown);
      store.dispatch({ type: 'columnsChosen', columns: chosen.length === 0 ? null : chosen });
    },
    exportRows([form, ...names]) {
      if (form !== 'csv' && form !== 'json') return say('bad', 'Say :export csv or :export json.');
      const state = store.get();
      const stamp = new Date(state.now).toISOString().replaceAll(/[:.]/gu, '-');
      const name = names.length === 0 ? `dsa-slurm-${tableNameOf(state)}-${stamp}.${form}` : names.join(' ');
      answer(async () => {
        const path = await save(name, exportText(state, form));
        return { ok: true, said: `${counted(tableOf(state).shown.length, 'row')} written to ${path}` };
      });
    },
    copyIds() {
      const state = store.get();
      const page = pageRow(state) ?? pageItem(state);
      const items = page === null ? targetItems(tableOf(state)) : [page];
      const ids = items.map((item) => view().copies(item)).filter(Boolean);
      if (ids.length === 0) return say('warning', 'There is nothing to copy.');
      copy(ids.join('\n'));
      // whether the terminal obeyed is not known: many ask their user first, some never do
      say('good', `Sent to the clipboard of this terminal: ${ids.join(' ')}`);
    },
  };
}

/** Where Enter leads from a row of a table. */
function placeOf(table: TableName, item: Item): Place {
  const opening = tableViews[table].opens(item);
  switch (opening.kind) {
    case 'page':
      return { view: 'item', table, id: item.id, top: 0 };
    case 'run':
      return { view: 'job', rowId: opening.rowId, top: 0 };
    case 'table':
      return { view: opening.table, drilled: opening.query };
  }
}
