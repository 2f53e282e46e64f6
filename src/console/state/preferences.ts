import type { JobScope } from './rows.js';
import { tableNames, type ConsoleState, type TableName } from './state.js';
import type { Store } from './store.js';
import { emptyTable, type TableState } from '../table/table-state.js';
import type { Sorting } from '../table/table.js';

type ByTable<T> = Readonly<Partial<Record<TableName, T>>>;

/**
 * How an operator likes to look at things, which is kept for the profile. What hides rows or is about some of them (a filter,
 * errors only, marks) is of the moment and not part of it: what was left out yesterday must not be missing today.
 */
export interface Preferences {
  /** Of the tables where any were chosen. */
  columns: ByTable<readonly string[]>;
  /** Of the tables that are not in their own order. */
  sorting: ByTable<NonNullable<Sorting>>;
  /** Tables whose columns are packed, so that more have room. */
  wide: readonly TableName[];
  scope: JobScope;
  wrap: boolean;
  stamps: boolean;
}

/** Of an operator who has chosen nothing yet. */
export const noPreferences: Preferences = {
  columns: {},
  sorting: {},
  wide: [],
  scope: 'mine',
  wrap: false,
  stamps: false,
};

/** The tables as they are preferred, without any rows. */
export function preferredTables(preferences: Preferences): Readonly<Record<TableName, TableState>> {
  const { columns, sorting, wide } = preferences;
  const tables = tableNames.map((name): [TableName, TableState] => [
    name,
    {
      ...emptyTable,
      columns: columns[name] ?? null,
      sorting: sorting[name] ?? null,
      wide: wide.includes(name),
    },
  ]);
  return Object.fromEntries(tables) as Record<TableName, TableState>;
}

export function preferencesOf({ tables, scope, wrap, stamps }: ConsoleState): Preferences {
  const chosen = <T>(of: (table: TableState) => T | null): ByTable<T> =>
    Object.fromEntries(
      tableNames.flatMap((name) => {
        const value = of(tables[name]);
        return value === null ? [] : [[name, value] as const];
      }),
    );
  return {
    columns: chosen((table) => table.columns),
    sorting: chosen((table) => table.sorting),
    wide: tableNames.filter((name) => tables[name].wide),
    scope,
    wrap,
    stamps,
  };
}

/** All that preferences are made of: they are the same where this is. */
function basisOf({ tables, scope, wrap, stamps }: ConsoleState): unknown[] {
  const ofTables = tableNames.flatMap((name) => {
    const { columns, sorting, wide } = tables[name];
    return [columns, sorting, wide];
  });
  return [scope, wrap, stamps, ...ofTables];
}

/** Tells of each change of what is preferred. */
export function onPreferences(store: Store, tell: (preferences: Preferences) => void): void {
  let basis = basisOf(store.get());
  store.subscribe(() => {
    const next = basisOf(store.get());
    if (next.every((one, index) => one === basis[index])) return;
    basis = next;
    tell(preferencesOf(store.get()));
  });
}
