import { resolveViewport, type ListPosition } from '../state/viewport.js';
import { createTimeLimit } from '../terminal/time-limit.js';
import type { ChosenColumns, SeenWidths, ValueContext } from './column.js';
import { emptyQuery, parseQuery, type Query } from './query.js';
import type { Item, Sorting, Table } from './table.js';

/** Display options of a table, its rows, and which of them are visible. */
export interface TableState<R extends Item = Item> {
  query: Query;
  sorting: Sorting;
  columns: ChosenColumns;
  /** Columns are packed densely, so that more of them fit. */
  wide: boolean;
  errorsOnly: boolean;
  /** Ids of marked rows. A row that disappears loses its mark. */
  marked: ReadonlySet<string>;
  /** Id of the row that was marked last, where a range begins. */
  anchor: string | null;
  position: ListPosition;
  /** The cursor has not been moved yet: the table stays at its first row when new rows appear above. */
  atTop: boolean;
  rows: readonly R[];
  /** The rows that pass the filter, in order. */
  shown: readonly R[];
  /** The widest texts that were visible. */
  seen: SeenWidths;
  /** The values that `shown` was computed from. */
  inputs: readonly unknown[];
}

/** A table that has no rows yet, whatever their type. */
export const emptyTable: TableState<never> = {
  query: emptyQuery,
  sorting: null,
  columns: null,
  wide: false,
  errorsOnly: false,
  marked: new Set(),
  anchor: null,
  position: { selected: null, index: 0, top: 0 },
  atTop: true,
  rows: [],
  shown: [],
  seen: {},
  inputs: [],
};

interface RecomputeOptions {
  table: Table;
  context: ValueContext;
  /** Visible rows. */
  height: number;
  /** Follow the selected row even if the cursor was never moved: its log, page or question is open. */
  keepSelection: boolean;
}

/** Updates visible rows, selection and marks. Returns the same object if nothing changed. */
export function recomputeTable(
  state: TableState,
  { table, context, height, keepSelection }: RecomputeOptions,
): TableState {
  const filtered = refilter(state, table, context);
  const { index, top } = resolveViewport(filtered.shown, filtered.position, height);
  if (top > 0 && state.atTop && !keepSelection) return withPosition(filtered, 0, 0);
  return withPosition(filtered, index, top);
}

function refilter(state: TableState, table: Table, context: ValueContext): TableState {
  const { rows, query, sorting, errorsOnly } = state;
  // ages change all the time, but filter and order are only updated with new data
  const inputs = [rows, query, sorting, errorsOnly, context.age.at];
  if (inputs.every((one, index) => one === state.inputs[index])) return state;
  const selected = select(state, table, context);
  if (selected === null) return refilter(withoutQuery(state), table, context);
  const shown = sameItems(selected, state.shown) ? state.shown : selected;
  return { ...state, shown, inputs, marked: remainingMarks(state) };
}

/** Keys are blocked for this long. */
const maxFilterMs = 250;
const withTimeLimit = createTimeLimit(maxFilterMs);

/** The rows that pass the filter; null if a pattern in the query takes too long. */
function select(state: TableState, table: Table, context: ValueContext): readonly Item[] | null {
  const work = (): readonly Item[] => table.select(state.rows, state, context);
  // only patterns can take long, and the time limit has a cost
  if (state.query.terms.length === 0 || !/[*~/]/u.test(state.query.text)) return work();
  const selected = withTimeLimit(work);
  return selected.ok ? selected.value : null;
}

/** Keeps the text for editing, but without any effect. */
function withoutQuery(state: TableState): TableState {
  const problem = 'A pattern takes too long; the filter is ignored.';
  return { ...state, query: { ...state.query, terms: [], problem } };
}

function remainingMarks({ marked, rows }: TableState): ReadonlySet<string> {
  if (marked.size === 0) return marked;
  const ids = new Set(rows.map(({ id }) => id));
  const kept = [...marked].filter((id) => ids.has(id));
  return kept.length === marked.size ? marked : new Set(kept);
}

function withPosition(state: TableState, index: number, top: number): TableState {
  const before = state.position;
  const selected = state.shown[index]?.id ?? before.selected;
  if (before.selected === selected && before.index === index && before.top === top) return state;
  return { ...state, position: { selected, index, top } };
}

export function selectedItem<R extends Item>({ shown, position }: TableState<R>): R | null {
  return shown[position.index] ?? null;
}

/** Takes the visible rows into account for the widths of the columns. */
export function withSeenWidths(
  state: TableState,
  { table, context, height }: Pick<RecomputeOptions, 'table' | 'context' | 'height'>,
): TableState {
  const { shown, position, seen } = state;
  const next = table.measure(shown.slice(position.top, position.top + height), seen, context);
  return next === seen ? state : { ...state, seen: next };
}

/** The rows that an action applies to: the marked ones in default order, else the selected one. */
export function targetItems<R extends Item>(state: TableState<R>): readonly R[] {
  if (state.marked.size > 0) return state.rows.filter(({ id }) => state.marked.has(id));
  const item = selectedItem(state);
  return item === null ? [] : [item];
}

/** Moves the cursor and scrolls as little as necessary. */
export function moveTo(state: TableState, index: number, height: number): TableState {
  const last = state.shown.length - 1;
  if (last < 0) return state;
  const at = Math.min(Math.max(0, index), last);
  const position = { ...state.position, selected: state.shown[at]?.id ?? null, index: at };
  const { top } = resolveViewport(state.shown, position, height);
  const moved = state.atTop && at !== state.position.index ? { ...state, atTop: false } : state;
  return withPosition(moved, at, top);
}

export function withQuery(state: TableState, text: string, table: Table): TableState {
  return text === state.query.text ? state : { ...state, query: parseQuery(text, table.fields) };
}

/** Marks or unmarks the selected row. */
export function toggleMark(state: TableState): TableState {
  const item = selectedItem(state);
  if (item === null) return state;
  const marked = new Set(state.marked);
  if (!marked.delete(item.id)) marked.add(item.id);
  return { ...state, marked, anchor: item.id };
}

export function unmark<R extends Item>(state: TableState<R>, ids: readonly string[]): TableState<R> {
  const removed = new Set(ids);
  const marked = new Set([...state.marked].filter((id) => !removed.has(id)));
  return marked.size === state.marked.size ? state : { ...state, marked };
}

/** Marks all rows from the last marked one to the selected one. */
export function markRange(state: TableState): TableState {
  const { shown, position } = state;
  const from = shown.findIndex(({ id }) => id === state.anchor);
  if (from === -1 || position.index < 0) return toggleMark(state);
  const [low, high] = from < position.index ? [from, position.index] : [position.index, from];
  const range = shown.slice(low, high + 1).map(({ id }) => id);
  return {
    ...state,
    marked: new Set([...state.marked, ...range]),
    anchor: shown[position.index]?.id ?? null,
  };
}

/** Marks every visible row, or unmarks all if every one is marked. */
export function toggleAll(state: TableState): TableState {
  const all = state.shown.every(({ id }) => state.marked.has(id));
  return { ...state, marked: all ? new Set() : new Set(state.shown.map(({ id }) => id)), anchor: null };
}

/** Sorts by a column, or reverses the order if the table is sorted by it already. */
export function sortBy(state: TableState, column: string): TableState {
  const descending = state.sorting?.column === column ? !state.sorting.descending : false;
  return { ...state, sorting: { column, descending } };
}

/** Sorts by the next column; after the last one, the default order returns. */
export function sortNext(state: TableState, columns: readonly string[]): TableState {
  const at = state.sorting === null ? -1 : columns.indexOf(state.sorting.column);
  const column = columns[at + 1];
  return { ...state, sorting: column === undefined ? null : { column, descending: false } };
}

function sameItems(a: readonly Item[], b: readonly Item[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}
