/** Which rows of a long list are on screen. */
export interface ListWindow {
  /** Index of the selected row; -1 in an empty list. */
  index: number;
  /** Index of the first row on screen. */
  top: number;
}

export interface ListPosition {
  /** Id of the selected row; null: none chosen yet, which means the first. */
  selected: string | null;
  /** Where it was last seen: its neighbour is selected when it has gone. */
  index: number;
  top: number;
}

/** Finds the selected row again by its id, and moves the window as little as it must to show it. */
export function resolveWindow(
  rows: readonly { id: string }[],
  position: ListPosition,
  height: number,
): ListWindow {
  if (rows.length === 0) return { index: -1, top: 0 };
  const { selected } = position;
  const found = selected === null ? 0 : indexOf(rows, selected, position.index);
  const index = found === -1 ? Math.min(Math.max(0, position.index), rows.length - 1) : found;
  const room = Math.max(1, height);
  const highest = Math.max(0, rows.length - room);
  const top = Math.min(Math.max(position.top, index - room + 1), index, highest);
  return { index, top: Math.max(0, top) };
}

function indexOf(rows: readonly { id: string }[], id: string, near: number): number {
  return rows[near]?.id === id ? near : rows.findIndex((row) => row.id === id);
}
