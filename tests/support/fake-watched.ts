import type { RunView } from '../../src/worker/views/handle.js';
import type { RunDetail, WorkerDetail } from '../../src/worker/views/live-views.js';

/** The views of a healthy worker, with every field set. */
export function fakeWorkerDetail(parts: Partial<WorkerDetail> = {}): WorkerDetail {
  const noRates = Array.from({ length: 60 }, () => 0);
  return {
    at: 0,
    problem: null,
    version: '1.2.3',
    pid: 4_242,
    host: 'login1',
    standbys: [],
    memory: { rss: 150_000_000, heapUsed: 60_000_000 },
    broker: {
      address: 'amqp://dsa@broker.example:5672',
      queues: [{ queue: 'celery', ready: 3, consumers: 1 }],
    },
    rates: { accepted: noRates, finished: noRates },
    journal: { path: '/state/journal', bytes: 2_000_000, synced: { at: 0, ms: 2 }, problem: null },
    commands: { lastMinute: 7, budget: 120, recent: [] },
    troubles: [],
    ...parts,
  };
}

/** Every view of a run in stage running. */
export function fakeRunDetail(run: RunView, parts: Partial<RunDetail> = {}): RunDetail {
  return {
    run,
    at: 0,
    timeline: [
      { stage: 'accepted', at: 0, ms: 40 },
      { stage: 'queued', at: 40, ms: 5_000 },
      { stage: 'running', at: 5_040, ms: 0 },
    ],
    task: { name: 'task.run', queue: 'celery', redelivered: false, eta: null, expires: null },
    sbatch: ['sbatch', '--parsable', '--comment', "a 'b'"],
    container: ['apptainer', 'exec', '--girderToken', '***'],
    inputs: [{ kind: 'file', name: 'slide.svs', girderId: 'f00d' }],
    outputs: [{ kind: 'folder', name: 'nuclei.anot', girderId: 'beef' }],
    outputsDone: 0,
    girderUrl: 'https://dsa.example/#job/1234',
    logFile: '/logs/run-1.out',
    submittedAt: 40,
    end: null,
    requested: null,
    usage: null,
    canceledBy: null,
    retryOf: null,
    retriedAs: null,
    ...parts,
  };
}
