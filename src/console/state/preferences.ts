import { emptyTable, type TableState } from '../table/table-state.js';
import type { Sorting } from '../table/table.js';
import type { Store } from './action.js';
import type { JobScope } from './rows.js';
import type { ThemeName } from '../terminal/theme.js';
import { tableNames, type ConsoleState, type TableName } from './state.js';

type ByTable<T> = Readonly<Partial<Record<TableName, T>>>;

/**
 * Display options that are kept for the profile. Whatever hides rows or refers to some of them (filter, errors only, marks)
 * is not kept, so that nothing is missing the next day because it was filtered out the day before.
 */
export interface Preferences {
  /** Only tables with chosen columns. */
  columns: ByTable<readonly string[]>;
  /** Only tables that are not in their default order. */
  sorting: ByTable<NonNullable<Sorting>>;
  /** Tables with densely packed columns. */
  wide: readonly TableName[];
  scope: JobScope;
  wrap: boolean;
  timestamps: boolean;
  /** The pane beside a table is shown where there is room. */
  pane: boolean;
  mouse: boolean;
  /** Null: what suits the terminal. */
  theme: ThemeName | null;
}

export const defaultPreferences: Preferences = {
  columns: {},
  sorting: {},
  wide: [],
  scope: 'mine',
  wrap: false,
  timestamps: false,
  pane: true,
  mouse: false,
  theme: null,
};

/** Empty tables with the preferred columns and order. */
export function preferredTables(preferences: Preferences): ConsoleState['tables'] {
  const { columns, sorting, wide } = preferences;
  const table = (name: TableName): TableState<never> => ({
    ...emptyTable,
    columns: columns[name] ?? null,
    sorting: sorting[name] ?? null,
    wide: wide.includes(name),
  });
  return {
    jobs: table('jobs'),
    batches: table('batches'),
    nodes: table('nodes'),
    partitions: table('partitions'),
    history: table('history'),
    images: table('images'),
    doctor: table('doctor'),
  };
}

export function preferencesOf({
  tables,
  scope,
  wrap,
  timestamps,
  pane,
  mouse,
  theme,
}: ConsoleState): Preferences {
  const chosen = <T>(value: (table: TableState) => T | null): ByTable<T> =>
    Object.fromEntries(
      tableNames.flatMap((name) => {
        const one = value(tables[name]);
        return one === null ? [] : [[name, one] as const];
      }),
    );
  return {
    columns: chosen((table) => table.columns),
    sorting: chosen((table) => table.sorting),
    wide: tableNames.filter((name) => tables[name].wide),
    scope,
    wrap,
    timestamps,
    pane,
    mouse,
    theme,
  };
}

/** The values that preferences are derived from. */
function preferenceValues({ tables, scope, wrap, timestamps, pane, mouse, theme }: ConsoleState): unknown[] {
  const ofTables = tableNames.flatMap((name) => {
    const { columns, sorting, wide } = tables[name];
    return [columns, sorting, wide];
  });
  return [scope, wrap, timestamps, pane, mouse, theme, ...ofTables];
}

/** Calls `listener` whenever a preference changes. */
export function onPreferences(store: Store, listener: (preferences: Preferences) => void): void {
  let values = preferenceValues(store.get());
  store.subscribe(() => {
    const next = preferenceValues(store.get());
    if (next.every((one, index) => one === values[index])) return;
    values = next;
    listener(preferencesOf(store.get()));
  });
}
