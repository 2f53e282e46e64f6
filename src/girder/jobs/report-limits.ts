import { createKeyedLimiter } from '../../base/keyed-limiter.js';

/** Limits shared by all Girder jobs of a worker. */
export interface ReportLimits {
  /** Minimum time between two reports of one Girder job, in milliseconds. */
  readonly reportMs: number;
  /** Runs `request` within the concurrency limit of its server, so that a slow server delays only its own jobs. */
  run<T>(server: string, request: () => Promise<T>): Promise<T>;
}

/** @param options.concurrency requests to one server at a time */
export function createReportLimits({
  reportMs,
  concurrency,
}: {
  reportMs: number;
  concurrency: number;
}): ReportLimits {
  const limiter = createKeyedLimiter(concurrency);
  return {
    reportMs,
    async run(server, request) {
      const release = await limiter.acquire(server);
      try {
        return await request();
      } finally {
        release();
      }
    },
  };
}
