import PQueue from 'p-queue';

/** What all Girder jobs of a worker share: how often each one reports, and how many at a time. */
export interface Reporting {
  /** Milliseconds between two reports of one Girder job, at least. */
  readonly reportMs: number;
  /** Waits for a turn. */
  run<T>(ask: () => Promise<T>): Promise<T>;
}

export function createReporting({
  reportMs,
  concurrency,
}: {
  reportMs: number;
  concurrency: number;
}): Reporting {
  const queue = new PQueue({ concurrency });
  return { reportMs, run: async (ask) => queue.add(ask) };
}
