/**
 * The status transitions that Girder allows, measured against Girder 3 and 5 (which agree): for each target, the statuses it
 * may be set from. Setting the current status again is always accepted.
 */

/** Girder's numbers for the statuses of a job. */
export const jobStatus = {
  inactive: 0,
  queued: 1,
  running: 2,
  success: 3,
  error: 4,
  canceled: 5,
  fetchingInput: 820,
  convertingInput: 821,
  convertingOutput: 822,
  pushingOutput: 823,
  canceling: 824,
} as const;

type Rules = Readonly<Record<number, readonly number[]>>;

const plainRules: Rules = { 1: [0], 2: [0, 1], 3: [2], 4: [1, 2], 5: [0, 1, 2] };

const celeryRules: Rules = {
  1: [0],
  2: [0, 1, 820],
  3: [2, 823],
  4: [1, 2, 820, 821, 822, 823, 824],
  5: [0, 1, 2, 824],
  820: [2],
  821: [2, 820],
  822: [2],
  823: [2, 822],
  824: [0, 1, 2],
};

/** Jobs published by Girder's own scheduler start as QUEUED and cannot leave INACTIVE. */
const workerRules: Rules = { ...celeryRules, 2: [1, 820], 5: [1, 2, 824] };

function rulesOf(handler: string): Rules {
  switch (handler) {
    case 'celery_handler':
      return celeryRules;
    case 'worker_handler':
      return workerRules;
    default:
      return plainRules;
  }
}

export function isAllowed(handler: string, from: number, to: number): boolean {
  return from === to || (rulesOf(handler)[to]?.includes(from) ?? false);
}

/** SUCCESS, ERROR and CANCELED allow no further transition. */
export function isFinal(status: number): boolean {
  return status === jobStatus.success || status === jobStatus.error || status === jobStatus.canceled;
}

/**
 * The shortest sequence of statuses to set to bring a Girder job from one status to another; `[]` if it is there already, null
 * if it cannot get there. Among equally short ones, lower numbers come first, so that ERROR from INACTIVE goes through QUEUED
 * and the job never appears to have run.
 */
export function pathTo(handler: string, from: number, to: number): number[] | null {
  const rules = rulesOf(handler);
  const ways: number[][] = [[]];
  const seen = new Set([from]);
  for (const way of ways) {
    const at = way.at(-1) ?? from;
    if (at === to) return way;
    for (const target of Object.keys(rules).map(Number)) {
      if (!seen.has(target) && isAllowed(handler, at, target)) {
        seen.add(target);
        ways.push([...way, target]);
      }
    }
  }
  return null;
}
