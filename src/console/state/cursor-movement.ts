/** A key that moves. */
export type Step = 'up' | 'down' | 'pageUp' | 'pageDown' | 'first' | 'last';

/** Where a step leads in a page that is read line by line: its first line in sight. */
export function pageTop(at: number, step: Step, height: number, lines: number): number {
  const last = Math.max(0, lines - height);
  return Math.min(Math.max(0, stepFrom(at, step, height, last)), last);
}

/** Where a step leads from place `at`. @param page rows in sight */
export function stepFrom(at: number, step: Step, page: number, last: number): number {
  const turn = Math.max(1, page - 1);
  switch (step) {
    case 'up':
      return at - 1;
    case 'down':
      return at + 1;
    case 'pageUp':
      return at - turn;
    case 'pageDown':
      return at + turn;
    case 'first':
      return 0;
    case 'last':
      return last;
  }
}
