import type { Apptainer } from '../../apptainer/inspect.js';
import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Broker, BrokerStatus } from '../../celery/broker.js';
import type { Settings } from '../../config/schema.js';
import type { ClusterInfo } from '../../slurm/site.js';
import { createActions } from '../actions/actions.js';
import type { RunStore } from '../run-state/run-store.js';
import type { Executor } from '../executor/executor.js';
import { createMessageMask } from '../../base/text/redact.js';
import type { CommandAnswer, WorkerHandle } from '../views/handle.js';
import type { TaskAcceptor, RequestedIntake } from '../task-acceptor.js';
import type { Journal } from '../run-state/journal.js';
import { tailLog } from '../logs/log-tail.js';
import { logPlace } from './log-place.js';
import { createPollInterval } from '../actions/poll-interval.js';
import type { FinishedRunActions } from '../actions/finished-run-actions.js';
import { runDetail } from '../views/run-detail.js';
import type { CancelSource } from '../run-state/run.js';
import type { Adoptions } from '../actions/adopt.js';
import type { StandbyWorker } from './standby.js';
import { createRunViews, createSnapshots } from '../views/snapshots.js';
import type { JobDetail, LiveViews } from '../views/live-views.js';
import { watchAllJobs } from '../views/all-jobs.js';
import { watchCluster } from '../views/cluster.js';
import { watchBatches } from '../views/batches.js';
import { watchHistory } from '../views/history.js';
import { describeImage, watchImages } from '../views/images.js';
import { readJobScript } from '../views/job-script.js';
import { watchAccounting, watchScheduler } from '../views/scheduler.js';
import type { Watch } from '../views/watch.js';
import { watchWorker, type CommandLog } from '../views/worker-detail.js';

/** Minimum milliseconds between two calls of listeners. */
const notifyEveryMs = 200;

export interface HandleSources {
  profile: string;
  settings: Settings;
  startedAt: number;
  runStore: RunStore;
  journal: Journal;
  executor: Executor;
  apptainer: Apptainer;
  intake: Pick<TaskAcceptor, 'request' | 'state' | 'drainedAt'>;
  broker: () => Broker | null;
  problem: () => string | null;
  requestCancel: (id: string, by: CancelSource) => Promise<boolean>;
  past: FinishedRunActions;
  adoptions: Adoptions;
  commands: CommandLog;
  standbys: () => readonly StandbyWorker[];
  site: (() => Promise<ClusterInfo>) | null;
  log: Log;
  clock: Clock;
}

/** Creates the handle of a worker in this process. `changed` notifies its listeners; `close` removes them. */
export function createHandle(sources: HandleSources): WorkerHandle & { changed(): void; close(): void } {
  const { runStore, executor, intake, settings, clock } = sources;
  const { tracker } = executor;
  const listeners = new Set<() => void>();
  let timer: NodeJS.Timeout | null = null;

  const changed = (): void => {
    if (listeners.size === 0) return;
    timer ??= setTimeout(() => {
      timer = null;
      for (const listener of listeners) listener();
    }, notifyEveryMs);
  };
  const stopListening = [runStore.subscribe(changed), tracker.onAnswer(changed)];

  const viewOf = createRunViews();
  const closed: BrokerStatus = { state: 'closed', since: sources.startedAt, problem: null };
  const worker = watchWorker({
    ...sources,
    brokerUrl: settings.broker.url,
  });
  const watches: { [K in keyof LiveViews]: Watch<LiveViews[K]> } = {
    worker,
    cluster: watchCluster(executor, settings.slurm.pollSeconds * 1_000, clock),
    scheduler: watchScheduler(executor, settings.slurm.pollSeconds * 1_000, clock),
    accounting: watchAccounting(executor, clock),
    allJobs: watchAllJobs(tracker),
    images: watchImages(settings.dirs.images, runStore, clock),
    history: watchHistory(runStore, viewOf, clock),
    batches: watchBatches(runStore, clock),
  };

  const requestIntake = async (state: RequestedIntake, message: string): Promise<CommandAnswer> => {
    intake.request(state);
    changed();
    return { ok: true, message };
  };

  return {
    snapshot: createSnapshots({
      profile: sources.profile,
      executor: settings.worker.executor,
      runStore,
      viewOf,
      startedAt: sources.startedAt,
      broker: () => sources.broker()?.status() ?? closed,
      intake: () => intake.state(),
      drainedAt: () => intake.drainedAt(),
      inFlightLimit: settings.worker.inFlight,
      problem: sources.problem,
      jobs: () => tracker.view(),
    }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch: (what, listener) => watches[what].listen(listener),
    followLog: (of, listener) => tailLog(logPlace(of, sources), listener, clock),
    async runDetail(runId) {
      const run = runStore.get(runId);
      if (run === undefined) return { ok: false, message: `There is no run ${runId}.` };
      return { ok: true, detail: runDetail(run, viewOf(run), clock.now()) };
    },
    jobDetail: async (jobId) => describeJob(jobId, sources),
    jobScript: async (jobId) => readJobScript(jobId, sources),
    imageDetail: async (file) => describeImage(file, settings.dirs.images, sources.apptainer),
    act: createActions({ ...sources, othersJobs: settings.slurm.othersJobs }),
    async changeNodes(change, nodes) {
      try {
        return await executor.changeNodes(change, nodes);
      } catch (error) {
        // an invalid name or reason, or the worker is stopping
        return { ok: false, message: errorLine(error) };
      }
    },
    pace: createPollInterval({ tracker, pollSeconds: settings.slurm.pollSeconds, site: sources.site }),
    pause: async () =>
      requestIntake('paused', 'Intake paused: no new tasks are accepted; runs in flight continue.'),
    resume: async () => requestIntake('open', 'Intake resumed.'),
    drain: async () =>
      requestIntake(
        'draining',
        `Draining: no new tasks are accepted, and ${runStore.inFlight()} runs are still in flight.`,
      ),
    changed,
    close() {
      for (const stop of stopListening) stop();
      for (const watch of Object.values(watches)) watch.close();
      worker.stopCounting();
      if (timer !== null) clearTimeout(timer);
      listeners.clear();
    },
  };
}

async function describeJob(jobId: string, { executor, runStore, clock }: HandleSources): Promise<JobDetail> {
  const answer = await executor.describe(jobId);
  if (answer.kind !== 'job') {
    const problem = answer.kind === 'silence' ? answer.why : `${executor.name} no longer knows this job.`;
    return { jobId, facts: [], at: null, problem };
  }
  // a custom submit script may have the container's arguments on its command line
  const run = [...runStore.all()].find((each) => each.jobId === jobId);
  const { pairs } = answer.job;
  const values = createMessageMask(run?.task.headers ?? null)(
    pairs.map(([, value]) => value),
  ) as readonly string[];
  const facts = pairs.map(([key], index) => [key, values[index] ?? ''] as const);
  return { jobId, facts, at: clock.now(), problem: null };
}
