export type CursorMove = 'up' | 'down' | 'pageUp' | 'pageDown' | 'first' | 'last';

/** The first visible line of a scrolled page after a move. */
export function pageTop(top: number, move: CursorMove, height: number, lines: number): number {
  const last = Math.max(0, lines - height);
  return Math.min(Math.max(0, moveFrom(top, move, height, last)), last);
}

/** The position after a move, which may be out of range. @param page visible rows */
export function moveFrom(position: number, move: CursorMove, page: number, last: number): number {
  const jump = Math.max(1, page - 1);
  switch (move) {
    case 'up':
      return position - 1;
    case 'down':
      return position + 1;
    case 'pageUp':
      return position - jump;
    case 'pageDown':
      return position + jump;
    case 'first':
      return 0;
    case 'last':
      return last;
  }
}
