/** The visible part of a long list. */
interface Viewport {
  /** Index of the selected row; -1 in an empty list. */
  index: number;
  /** Index of the first visible row. */
  top: number;
}

export interface ListPosition {
  /** Id of the selected row; null selects the first one. */
  selected: string | null;
  /** The row's last known index: once it is gone, the row in its place is selected. */
  index: number;
  top: number;
}

/** Finds the selected row by its id and scrolls as little as necessary to show it. */
export function resolveViewport(
  rows: readonly { id: string }[],
  position: ListPosition,
  height: number,
): Viewport {
  if (rows.length === 0) return { index: -1, top: 0 };
  const { selected } = position;
  const found = selected === null ? 0 : indexOf(rows, selected, position.index);
  const index = found === -1 ? Math.min(Math.max(0, position.index), rows.length - 1) : found;
  const room = Math.max(1, height);
  const highest = Math.max(0, rows.length - room);
  const top = Math.min(Math.max(position.top, index - room + 1), index, highest);
  return { index, top: Math.max(0, top) };
}

/** Tries the last known index first: most rows have not moved. */
function indexOf(rows: readonly { id: string }[], id: string, near: number): number {
  return rows[near]?.id === id ? near : rows.findIndex((row) => row.id === id);
}
