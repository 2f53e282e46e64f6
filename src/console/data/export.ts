import { tableNameOf, tableOf, type ConsoleState } from '../state/state.js';
import { lookOf } from '../views/table.js';
import { tableViews } from '../views/tables.js';

export type ExportForm = 'csv' | 'json';

/**
 * The rows that the table shows, in its order and with the columns that it may show: CSV (RFC 4180) or JSON. Values are
 * those that filter and sort see: seconds, milliseconds since the epoch, shares from 0 to 1.
 */
export function exportText(state: ConsoleState, form: ExportForm): string {
  const { table, age } = tableViews[tableNameOf(state)];
  const context = { now: state.now, age: age(state) };
  const look = lookOf(state);
  const rows = tableOf(state).shown.map((item) => table.values(item, look, context));
  if (form === 'json') return `${JSON.stringify({ at: age(state).at, rows }, null, 2)}\n`;
  const ids = Object.keys(rows[0] ?? {});
  const lines = [ids, ...rows.map((row) => ids.map((id) => row[id] ?? ''))];
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('');
}

/** A cell that a spreadsheet would take for a formula gets a quote in front: names come from anybody. */
function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
