import { createKeyedLimiter } from '../../base/keyed-limiter.js';

/** What all Girder jobs of a worker share: how often each one reports, and how many at a time. */
export interface ReportLimits {
  /** Milliseconds between two reports of one Girder job, at least. */
  readonly reportMs: number;
  /** Waits for a turn among the questions to the same server: one that is slow keeps no other one waiting. */
  run<T>(server: string, ask: () => Promise<T>): Promise<T>;
}

/** @param options.concurrency questions to one server at a time */
export function createReportLimits({
  reportMs,
  concurrency,
}: {
  reportMs: number;
  concurrency: number;
}): ReportLimits {
  const places = createKeyedLimiter(concurrency);
  return {
    reportMs,
    async run(server, ask) {
      const leave = await places.acquire(server);
      try {
        return await ask();
      } finally {
        leave();
      }
    },
  };
}
