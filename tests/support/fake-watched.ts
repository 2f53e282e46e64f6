import type { WorkerDetail } from '../../src/worker/watched.js';

/** A worker in which all is well, with every field set. */
export function fakeWorkerDetail(parts: Partial<WorkerDetail> = {}): WorkerDetail {
  const noRates = Array.from({ length: 60 }, () => 0);
  return {
    at: 0,
    trouble: null,
    version: '1.2.3',
    pid: 4_242,
    host: 'login1',
    jobWords: 'Slurm job',
    memory: { rss: 150_000_000, heapUsed: 60_000_000 },
    broker: {
      address: 'amqp://dsa@broker.example:5672',
      queues: [{ queue: 'celery', ready: 3, consumers: 1 }],
    },
    rates: { accepted: noRates, finished: noRates },
    journal: { path: '/state/journal', bytes: 2_000_000, synced: { at: 0, ms: 2 }, trouble: null },
    commands: { lastMinute: 7, budget: 120, recent: [] },
    troubles: [],
    ...parts,
  };
}
