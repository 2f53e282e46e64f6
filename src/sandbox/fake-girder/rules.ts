/**
 * Girder's rules for a job's status, as measured on real Girder 3 and 5 servers (contract, "Job REST lifecycle and
 * cancel"). The fake has its own copy on purpose: the same mistake in both would go unnoticed if they shared one.
 */
export type Handler = 'celery_handler' | 'worker_handler';

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

/** @returns the status as Girder's web page shows it: `fetching input` */
export function statusWord(status: number): string {
  const name = Object.entries(jobStatus).find(([, value]) => value === status)?.[0] ?? String(status);
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

const known: readonly number[] = Object.values(jobStatus);

/** Target status -> statuses from which it may be reached. */
const common: Readonly<Record<number, readonly number[]>> = {
  1: [0],
  3: [2, 823],
  4: [1, 2, 820, 821, 822, 823, 824],
  820: [2],
  821: [2, 820],
  822: [2],
  823: [2, 822],
  824: [0, 1, 2],
};

const sources: Readonly<Record<Handler, Readonly<Record<number, readonly number[]>>>> = {
  celery_handler: { ...common, 2: [0, 1, 820], 5: [0, 1, 2, 824] },
  worker_handler: { ...common, 2: [1, 820], 5: [1, 2, 824] },
};

/** Girder's message when the change is refused; undefined when it is allowed. */
export function refusal(handler: Handler, from: number, to: number): string | undefined {
  if (!known.includes(to)) return `Invalid job status ${to}.`;
  if (from === to) return undefined;
  const allowed = sources[handler][to];
  if (allowed === undefined) {
    return `No valid state transition to '${to}'. Current state is '${from}'.`;
  }
  return allowed.includes(from)
    ? undefined
    : `Invalid state transition to '${to}', Current state is '${from}'.`;
}
