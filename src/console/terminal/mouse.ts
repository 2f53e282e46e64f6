/** A press of the left button, or a turn of the wheel. Columns and rows are counted from 0. */
export interface MouseEvent {
  kind: 'press' | 'wheelUp' | 'wheelDown';
  column: number;
  row: number;
}

const csi = '\u001B[';

/** Switches the reports of buttons on or off, in the format of SGR (xterm, "Mouse Tracking", modes 1000 and 1006). */
export function mouseReports(on: boolean): string {
  const mode = on ? 'h' : 'l';
  return `${csi}?1000${mode}${csi}?1006${mode}`;
}

/**
 * Parses a report as Ink passes it on, without its escape character: `[<0;12;5M`.
 * @returns null for anything else; `ignored` for a report without a use here, such as a released button
 */
export function parseMouse(input: string): MouseEvent | 'ignored' | null {
  const [, code, column, row, end] = /^\[<(\d+);(\d+);(\d+)([Mm])$/u.exec(input) ?? [];
  if (code === undefined) return null;
  const kind = ({ 0: 'press', 64: 'wheelUp', 65: 'wheelDown' } as const)[Number(code)];
  return kind === undefined || end === 'm'
    ? 'ignored'
    : { kind, column: Number(column) - 1, row: Number(row) - 1 };
}
