import { createTimeLimit } from '../terminal/time-limit.js';
import { resolveWindow, type ListPosition } from '../state/viewport.js';
import type { ValueContext, ChosenColumns } from './column.js';
import { emptyQuery, parseQuery, type Query } from './query.js';
import type { Item, Sorting, Table } from './table.js';

/** Everything that the operator can change of one table, and what it shows by that. */
export interface TableState {
  query: Query;
  sorting: Sorting;
  columns: ChosenColumns;
  wide: boolean;
  errorsOnly: boolean;
  /** Ids of marked rows. A row that goes away loses its mark. */
  marked: ReadonlySet<string>;
  /** The row that was marked last: where a range begins. */
  anchor: string | null;
  position: ListPosition;
  /** Nobody has moved the selection yet: the window stays at the first row, whatever comes above it. */
  untouched: boolean;
  /** All rows, and those that are let through, in order. */
  rows: readonly Item[];
  shown: readonly Item[];
  /** What `displayName` was found from: with the same, it is not looked for again. */
  basis: readonly unknown[];
}

export const emptyTable: TableState = {
  query: emptyQuery,
  sorting: null,
  columns: null,
  wide: false,
  errorsOnly: false,
  marked: new Set(),
  anchor: null,
  position: { selected: null, index: 0, top: 0 },
  untouched: true,
  rows: [],
  shown: [],
  basis: [],
};

export interface Settling {
  table: Table;
  context: ValueContext;
  /** Rows on screen. */
  height: number;
  /** The selected row is being looked at or asked about. */
  held: boolean;
}

/**
 * After rows, query, sorting or size changed: what is shown, the selection by its id, and the marks of the rows that are
 * still there. The same object where nothing changed.
 */
export function settleTable(state: TableState, { table, context, height, held }: Settling): TableState {
  const found = selectedAgain(state, table, context);
  const { index, top } = resolveWindow(found.shown, found.position, height);
  if (top > 0 && state.untouched && !held) return positioned(found, 0, 0);
  return positioned(found, index, top);
}

function selectedAgain(state: TableState, table: Table, context: ValueContext): TableState {
  const { rows, query, sorting, errorsOnly } = state;
  // ages that a query asks for, or that rows are sorted by, are looked at again with each answer
  const basis = [rows, query, sorting, errorsOnly, context.age.at];
  if (basis.every((one, index) => one === state.basis[index])) return state;
  const selected = select(state, table, context);
  if (selected === null) return selectedAgain(withoutQuery(state), table, context);
  const shown = sameItems(selected, state.shown) ? state.shown : selected;
  return { ...state, shown, basis, marked: stillThere(state) };
}

/** Milliseconds that a filter may take: keys wait as long. */
const longestFilterMs = 250;
const withinTime = createTimeLimit(longestFilterMs);

/** What is let through; null where a pattern in the query takes too long. */
function select(state: TableState, table: Table, context: ValueContext): readonly Item[] | null {
  const work = (): readonly Item[] => table.select(state.rows, state, context);
  // only patterns can take long, and a limit costs something
  if (state.query.terms.length === 0 || !/[*~/]/u.test(state.query.text)) return work();
  const selected = withinTime(work);
  return selected.ok ? selected.value : null;
}

/** The query stays to be read and mended, and lets everything through meanwhile. */
function withoutQuery(state: TableState): TableState {
  const problem = 'A pattern in this takes too long: it filters nothing.';
  return { ...state, query: { ...state.query, terms: [], problem } };
}

function stillThere({ marked, rows }: TableState): ReadonlySet<string> {
  if (marked.size === 0) return marked;
  const ids = new Set(rows.map(({ id }) => id));
  const kept = [...marked].filter((id) => ids.has(id));
  return kept.length === marked.size ? marked : new Set(kept);
}

function positioned(state: TableState, index: number, top: number): TableState {
  const before = state.position;
  const selected = state.shown[index]?.id ?? before.selected;
  if (before.selected === selected && before.index === index && before.top === top) return state;
  return { ...state, position: { selected, index, top } };
}

export function selectedItem({ shown, position }: TableState): Item | null {
  return shown[position.index] ?? null;
}

/** The rows that an action is about: the marked ones, in the order of the table, else the selected one. */
export function targetItems(state: TableState): readonly Item[] {
  if (state.marked.size > 0) return state.rows.filter(({ id }) => state.marked.has(id));
  const item = selectedItem(state);
  return item === null ? [] : [item];
}

/** Moves the selection; the window moves as little as it must. */
export function moveTo(state: TableState, index: number, height: number): TableState {
  const last = state.shown.length - 1;
  if (last < 0) return state;
  const at = Math.min(Math.max(0, index), last);
  const position = { ...state.position, selected: state.shown[at]?.id ?? null, index: at };
  const { top } = resolveWindow(state.shown, position, height);
  const moved = state.untouched && at !== state.position.index ? { ...state, untouched: false } : state;
  return positioned(moved, at, top);
}

export function withQuery(state: TableState, text: string, table: Table): TableState {
  return text === state.query.text ? state : { ...state, query: parseQuery(text, table.fields) };
}

/** Marks the selected row, or takes its mark away. */
export function toggleMark(state: TableState): TableState {
  const item = selectedItem(state);
  if (item === null) return state;
  const marked = new Set(state.marked);
  if (!marked.delete(item.id)) marked.add(item.id);
  return { ...state, marked, anchor: item.id };
}

/** Takes marks away. */
export function unmark(state: TableState, ids: readonly string[]): TableState {
  const gone = new Set(ids);
  const marked = new Set([...state.marked].filter((id) => !gone.has(id)));
  return marked.size === state.marked.size ? state : { ...state, marked };
}

/** Marks all rows from the one that was marked last to the selected one. */
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

/** Marks every row that is shown; if they all are, no row is marked any more. */
export function toggleAll(state: TableState): TableState {
  const all = state.shown.every(({ id }) => state.marked.has(id));
  return { ...state, marked: all ? new Set() : new Set(state.shown.map(({ id }) => id)), anchor: null };
}

/** Sorts by a column; by the one that it is sorted by already, the other way round. */
export function sortBy(state: TableState, column: string): TableState {
  const descending = state.sorting?.column === column ? !state.sorting.descending : false;
  return { ...state, sorting: { column, descending } };
}

/** Sorts by the next column, after the last one in the table's own order again. */
export function sortNext(state: TableState, columns: readonly string[]): TableState {
  const at = state.sorting === null ? -1 : columns.indexOf(state.sorting.column);
  const column = columns[at + 1];
  return { ...state, sorting: column === undefined ? null : { column, descending: false } };
}

function sameItems(a: readonly Item[], b: readonly Item[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}
