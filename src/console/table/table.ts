import type { Span, Theme, Line } from '../terminal/theme.js';
import { span } from '../terminal/theme.js';
import { merged } from '../terminal/line-layout.js';
import {
  candidates,
  headingCell,
  layoutColumns,
  type CellContext,
  type ChosenColumns,
  type Column,
  type TableLayout,
  type ValueContext,
} from './column.js';
import { passes, type Query } from './query.js';
import { rememberRows } from './remember-rows.js';

/** Whatever a table lists: it only has to keep its id for as long as it is the same thing. */
export interface Item {
  readonly id: string;
}

/** By which column a table is sorted; null: in its own order. */
export type Sorting = { column: string; descending: boolean } | null;

export interface Selection {
  query: Query;
  sorting: Sorting;
  errorsOnly: boolean;
}

/** How a table is drawn at present. */
export interface Look {
  width: number;
  wide: boolean;
  chosen: ChosenColumns;
  sorting: Sorting;
}

/** What stands in front of a row. */
export interface Marks {
  selected: boolean;
  marked: boolean;
  /** It is of an answer that could not be renewed. */
  stale: boolean;
}

/** One kind of table, with the type of its rows hidden inside. */
export interface Table {
  /** Names that `field=value` knows. */
  fields: ReadonlySet<string>;
  columnIds: readonly string[];
  /** Columns by the letter that, with shift, sorts by them. */
  sortKeys: ReadonlyMap<string, string>;
  /** The rows that are let through, in order; `rows` itself where that is all of them in their own order. */
  select(rows: readonly Item[], selection: Selection, context: ValueContext): readonly Item[];
  heading(look: Look, theme: Theme): Line;
  row(item: Item, marks: Marks, look: Look, context: CellContext): Line;
  /** The values of the columns that are shown, for an export. */
  values(item: Item, look: Look, context: ValueContext): Record<string, string | number | null>;
}

export interface TableParts<R extends Item> {
  columns: readonly Column<R>[];
  /** Priority up to which columns are squeezed before one is dropped: those that a terminal of 80 columns shows. */
  squeezable: number;
  /** Further texts that a filter finds. */
  texts(row: R): readonly (string | null | undefined)[];
  /** What the errors-only switch leaves. */
  isError(row: R): boolean;
  /** Whether it is as old as the last answer; absent: every row is. */
  isStale?(row: R): boolean;
}

export function defineTable<R extends Item>(parts: TableParts<R>): Table {
  const { columns, squeezable, texts, isError, isStale = () => true } = parts;
  const byId = new Map(columns.map((column) => [column.id, column]));
  // rows keep their identity while they do not change, so a text is put together once
  const searched = new WeakMap<R, string>();
  const searchText = (row: R, context: ValueContext): string => {
    let text = searched.get(row);
    if (text === undefined) {
      text = '';
      for (const column of columns) text += `${column.value(row, context) ?? ''}\n`;
      for (const one of texts(row)) text += `${one ?? ''}\n`;
      text = text.toLowerCase();
      searched.set(row, text);
    }
    return text;
  };
  let lastLayout: { key: string; layout: TableLayout<R> } | null = null;
  const layoutOf = ({ width, wide, chosen }: Look): TableLayout<R> => {
    const key = JSON.stringify([width, wide, chosen]);
    if (lastLayout?.key !== key) {
      const layout = layoutColumns(candidates(columns, chosen), width - 1, { squeezable, wide });
      lastLayout = { key, layout };
    }
    return lastLayout.layout;
  };

  const table: Table = {
    fields: new Set(byId.keys()),
    columnIds: [...byId.keys()],
    sortKeys: new Map(
      columns.flatMap((one) => (one.sortKey === undefined ? [] : [[one.sortKey, one.id] as const])),
    ),
    select(items, { query, sorting, errorsOnly }, context) {
      const rows = items as readonly R[];
      const filtered =
        query.terms.length === 0 && !errorsOnly
          ? rows
          : rows.filter(
              (row) =>
                (!errorsOnly || isError(row)) &&
                passes(query, {
                  text: () => searchText(row, context),
                  field: (name) => byId.get(name)?.value(row, context),
                }),
            );
      const column = sorting === null ? undefined : byId.get(sorting.column);
      if (column === undefined || sorting === null) return filtered;
      const keyed = filtered.map((row, index) => ({ row, index, value: column.value(row, context) }));
      const turn = sorting.descending ? -1 : 1;
      // what has no value comes last either way; equals keep the order of the table
      keyed.sort((a, b) => compare(a.value, b.value, turn) || a.index - b.index);
      return keyed.map(({ row }) => row);
    },
    heading(look, theme) {
      const cells = joined(layoutOf(look), (one) => {
        const sorted = look.sorting?.column === one.column.id;
        return [headingCell(one, sorted ? (look.sorting?.descending ? 'down' : 'up') : null, theme)];
      });
      return { spans: [span(' '), ...cells] };
    },
    row(item, { selected, marked, stale }, look, context) {
      const row = item as R;
      const { glyphs } = context.theme;
      const old = stale && isStale(row) ? glyphs.stale : ' ';
      const front = selected ? (marked ? glyphs.both : glyphs.selected) : marked ? glyphs.marked : old;
      const cells = joined(layoutOf(look), ({ column, width }) => column.cell(row, width, context));
      return {
        spans: merged([
          span(front, marked ? 'accent' : front === glyphs.stale ? 'warning' : 'plain'),
          ...cells,
        ]),
        selected,
      };
    },
    values: (item, look, context) =>
      Object.fromEntries(
        candidates(columns, look.chosen).map((column) => [column.id, column.value(item as R, context)]),
      ),
  };
  return { ...table, row: rememberRows(table.row) };
}

function joined<R>(
  { placed, gap }: TableLayout<R>,
  cells: (one: TableLayout<R>['placed'][number]) => Span[],
): Span[] {
  const between = span(' '.repeat(gap));
  return placed.flatMap((one, index) => (index === 0 ? cells(one) : [between, ...cells(one)]));
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

function compare(a: string | number | null, b: string | number | null, turn: 1 | -1): number {
  if (a === null || a === '') return b === null || b === '' ? 0 : 1;
  if (b === null || b === '') return -1;
  if (typeof a === 'number' && typeof b === 'number') return (a - b) * turn;
  return collator.compare(String(a), String(b)) * turn;
}
