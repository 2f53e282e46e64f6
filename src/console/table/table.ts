import { mergeSpans } from '../terminal/line-layout.js';
import { cellWidth } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import {
  headingCell,
  layoutColumns,
  visibleColumns,
  type CellContext,
  type ChosenColumns,
  type Column,
  type SeenWidths,
  type TableLayout,
  type ValueContext,
} from './column.js';
import { matchesQuery, type Query } from './query.js';

/** A row of any table. Its id is stable, and an unchanged row keeps its identity. */
export interface Item {
  readonly id: string;
}

/** The column that a table is sorted by; null: the default order. */
export type Sorting = { column: string; descending: boolean } | null;

interface Selection {
  query: Query;
  sorting: Sorting;
  errorsOnly: boolean;
}

export interface TableLayoutOptions {
  /** Width of the terminal in cells. */
  width: number;
  /** Pack the columns densely, so that more of them fit. */
  wide: boolean;
  chosen: ChosenColumns;
  sorting: Sorting;
  seen?: SeenWidths;
}

/** What the first cell of a row shows. */
export interface Marks {
  selected: boolean;
  marked: boolean;
  /** The latest update of the data failed. */
  stale: boolean;
  /** The worker itself was lost. */
  lost?: boolean;
}

/**
 * How the rows of a table are filtered, sorted and drawn. Its members are methods, which TypeScript compares bivariantly: a
 * table of nodes can be passed as a table of any item, together with its own rows.
 */
export interface Table<R extends Item = Item> {
  /** Field names that a query may use. */
  fields: ReadonlySet<string>;
  columnIds: readonly string[];
  /** Column ids by the letter that sorts by them together with Shift. */
  sortKeys: ReadonlyMap<string, string>;
  /** The matching rows in order; `rows` itself if nothing is filtered or sorted. */
  select(rows: readonly R[], selection: Selection, context: ValueContext): readonly R[];
  heading(layout: TableLayoutOptions, theme: Theme): Line;
  row(row: R, marks: Marks, layout: TableLayoutOptions, context: CellContext): Line;
  /** The widths of the widest texts, including those seen before; `seen` itself if none is wider. */
  measure(rows: readonly R[], seen: SeenWidths, context: ValueContext): SeenWidths;
  /** The values of all chosen columns, whether or not they fit on the screen. */
  values(row: R, layout: TableLayoutOptions, context: ValueContext): Record<string, string | number | null>;
}

interface TableDefinition<R extends Item> {
  columns: readonly Column<R>[];
  /** Columns up to this priority shrink before one is dropped: those that fit into 80 columns. */
  squeezablePriority: number;
  /** Fields that a filter knows in addition to the columns. */
  extraFields?: Readonly<Record<string, (row: R) => string | null>>;
  /** Texts that a filter finds in addition to the columns. */
  searchTexts(row: R): readonly (string | null | undefined)[];
  /** Rows that the errors-only switch keeps. */
  isError(row: R): boolean;
  /** Whether the row has ended a while ago and needs no attention; absent: never. */
  isFaded?(row: R, now: number): boolean;
  /** Whether the row is outdated when the latest update fails; absent: every row is. */
  isStale?(row: R, lost: boolean): boolean;
}

export function defineTable<R extends Item>(definition: TableDefinition<R>): Table<R> {
  const {
    columns,
    squeezablePriority,
    searchTexts,
    isError,
    isStale = () => true,
    isFaded,
    extraFields = {},
  } = definition;
  const byId = new Map(columns.map((column) => [column.id, column]));
  const searchText = cachedSearchText(columns, searchTexts);
  let cached: { key: string; layout: TableLayout<R> } | null = null;
  const layoutFor = ({ width, wide, chosen, seen = {} }: TableLayoutOptions): TableLayout<R> => {
    const key = JSON.stringify([width, wide, chosen, seen]);
    if (cached?.key !== key) {
      const layout = layoutColumns(visibleColumns(columns, chosen), width - 1, {
        squeezablePriority,
        wide,
        seen,
      });
      cached = { key, layout };
    }
    return cached.layout;
  };

  return {
    fields: new Set([...byId.keys(), ...Object.keys(extraFields)]),
    columnIds: [...byId.keys()],
    sortKeys: new Map(
      columns.flatMap((one) => (one.sortKey === undefined ? [] : [[one.sortKey, one.id] as const])),
    ),
    select(rows, { query, sorting, errorsOnly }, context) {
      const filtered =
        query.terms.length === 0 && !errorsOnly
          ? rows
          : rows.filter(
              (row) =>
                (!errorsOnly || isError(row)) &&
                matchesQuery(query, {
                  text: () => searchText(row, context),
                  field: (name) => byId.get(name)?.value(row, context) ?? extraFields[name]?.(row),
                }),
            );
      const column = sorting === null ? undefined : byId.get(sorting.column);
      if (column === undefined || sorting === null) return filtered;
      const keyed = filtered.map((row, index) => ({ row, index, value: column.value(row, context) }));
      const sign = sorting.descending ? -1 : 1;
      keyed.sort((a, b) => compare(a.value, b.value, sign) || a.index - b.index);
      return keyed.map(({ row }) => row);
    },
    heading(layout, theme) {
      const cells = joinCells(layoutFor(layout), (one) => {
        const isSorted = layout.sorting?.column === one.column.id;
        return [headingCell(one, isSorted ? (layout.sorting?.descending ? 'down' : 'up') : null, theme)];
      });
      return { spans: [span(' '), ...cells] };
    },
    row: cachedRows((row, { selected, marked, stale, lost = false }, layout, context) => {
      const { glyphs } = context.theme;
      const age = stale && isStale(row, lost) ? glyphs.stale : ' ';
      const front = selected ? (marked ? glyphs.both : glyphs.selected) : marked ? glyphs.marked : age;
      const forThisRow = forRow(layoutFor(layout), row);
      const { shown } = forThisRow;
      const cells = joinCells(forThisRow, ({ column, width }) =>
        column.cell(row, width, { ...context, shown }),
      );
      const faded = isFaded?.(row, context.now) === true;
      return {
        spans: mergeSpans([
          span(front, marked ? 'accent' : front === glyphs.stale ? 'warning' : 'plain'),
          ...(faded ? cells.map((one) => (one.tone === 'plain' ? span(one.text, 'faded') : one)) : cells),
        ]),
        selected,
      };
    }),
    measure(rows, seen, context) {
      const wider: Record<string, number> = {};
      for (const column of columns) {
        if (column.text === undefined) continue;
        const before = seen[column.id] ?? column.min;
        let widest = before;
        for (const row of rows) widest = Math.max(widest, cellWidth(column.text(row, context)));
        widest = Math.min(widest, maxSeen);
        if (widest > before || seen[column.id] === undefined) wider[column.id] = widest;
      }
      return Object.keys(wider).length === 0 ? seen : { ...seen, ...wider };
    },
    values: (row, layout, context) =>
      Object.fromEntries(
        visibleColumns(columns, layout.chosen).map((column) => [column.id, column.value(row, context)]),
      ),
  };
}

/** All texts of a row in lower case, built once per row. */
function cachedSearchText<R extends Item>(
  columns: readonly Column<R>[],
  searchTexts: TableDefinition<R>['searchTexts'],
): (row: R, context: ValueContext) => string {
  const known = new WeakMap<R, string>();
  return (row, context) => {
    let text = known.get(row);
    if (text === undefined) {
      text = '';
      for (const column of columns) text += `${column.value(row, context) ?? ''}\n`;
      for (const one of searchTexts(row)) text += `${one ?? ''}\n`;
      text = text.toLowerCase();
      known.set(row, text);
    }
    return text;
  };
}

/** A longer text does not widen its column any more. */
const maxSeen = 60;

/** More rows than any screen has. */
const maxCachedRows = 512;

/**
 * Returns the previous line of a row if nothing that it depends on has changed. Most rows of a frame are the same as in the
 * frame before, and an identical line is not drawn again.
 */
function cachedRows<R extends Item>(draw: Table<R>['row']): Table<R>['row'] {
  const known = new Map<R, { inputs: readonly unknown[]; line: Line }>();
  return (row, marks, layout, context) => {
    const { now, age, theme } = context;
    const { width, wide, chosen, seen } = layout;
    const inputs = [now, age.at, age.problem, theme, width, wide, chosen, seen, ...Object.values(marks)];
    const before = known.get(row);
    if (before !== undefined && inputs.every((one, index) => one === before.inputs[index])) {
      return before.line;
    }
    if (known.size >= maxCachedRows) known.clear();
    const line = draw(row, marks, layout, context);
    known.set(row, { inputs, line });
    return line;
  };
}

/** The layout of one row, in which a column may take the room of its left neighbor. */
function forRow<R>({ placed, ...others }: TableLayout<R>, row: R): TableLayout<R> {
  const kept: TableLayout<R>['placed'][number][] = [];
  for (const one of placed) {
    const before = kept.at(-1);
    if (before !== undefined && one.column.takesRoomOf?.(row) === before.column.id)
      kept[kept.length - 1] = { column: one.column, width: before.width + others.gap + one.width };
    else kept.push(one);
  }
  return { placed: kept, ...others };
}

function joinCells<R>(
  { placed, gap }: TableLayout<R>,
  cells: (one: TableLayout<R>['placed'][number]) => Span[],
): Span[] {
  const between = span(' '.repeat(gap));
  return placed.flatMap((one, index) => (index === 0 ? cells(one) : [between, ...cells(one)]));
}

/** Created for the first column that is sorted by: it loads the collation of all languages, which takes longer than a frame. */
let collator: Intl.Collator | undefined;

/** Missing values come last in both directions. */
function compare(a: string | number | null, b: string | number | null, sign: 1 | -1): number {
  if (a === null || a === '') return b === null || b === '' ? 0 : 1;
  if (b === null || b === '') return -1;
  if (typeof a === 'number' && typeof b === 'number') return (a - b) * sign;
  collator ??= new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
  return collator.compare(String(a), String(b)) * sign;
}
