import { csvText } from '../../base/text/csv.js';
import { printableJson } from '../../base/text/printable-json.js';
import { tableOf, type ConsoleState } from '../state/state.js';
import { tableLayoutOptions } from '../views/table.js';
import { currentView } from '../views/tables/all-tables.js';

type ExportFormat = 'csv' | 'json';

/**
 * The visible rows in display order with all chosen columns, as CSV (RFC 4180) or JSON. Values are raw: durations in seconds,
 * times in milliseconds since the epoch, progress from 0 to 1.
 */
export function exportText(state: ConsoleState, format: ExportFormat): string {
  const { table, age } = currentView(state);
  const context = { now: state.now, age: age(state) };
  const layout = tableLayoutOptions(state);
  const rows = tableOf(state).shown.map((item) => table.values(item, layout, context));
  if (format === 'json') return `${printableJson({ at: age(state).at, rows }, 2)}\n`;
  const ids = Object.keys(rows[0] ?? {});
  const lines = [ids, ...rows.map((row) => ids.map((id) => row[id] ?? ''))];
  return csvText(lines);
}
