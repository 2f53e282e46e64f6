import { setImmediate } from 'node:timers/promises';

import { systemClock, type Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { abandonSharedFiles, guardSharedFiles, sharedFilesProblem } from '../base/files/network-fs.js';
import { createReleasers, type Releasers } from '../base/releasers.js';
import type { Broker } from '../celery/broker.js';
import type { Settings } from '../config/schema.js';
import { createAdoptions } from './actions/adopt.js';
import { createFinishedRunActions } from './actions/finished-run-actions.js';
import { watchOrphans } from './actions/orphans.js';
import { keepWithinBudget } from './actions/poll-interval.js';
import { createControlTarget } from './actions/remote-control-target.js';
import { createRunRetries } from './actions/retry.js';
import { createWorkerBroker } from './worker-broker.js';
import { openWorkerCluster } from './worker-cluster.js';
import { createWorkerServices } from './create-worker-services.js';
import type { Executor } from './executor/executor.js';
import { openSubmitScript, type SubmitScript } from './job-request/submit-script.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import { serveMetrics } from './metrics/serve-metrics.js';
import { createHandle } from './open/create-handle.js';
import { exposeWorker } from './open/expose-worker.js';
import { watchStandbys } from './open/standby.js';
import { createGirderServices } from './reporting/girder-services.js';
import { watchLocalQueue } from './reporting/local-queue.js';
import { publishTaskEvents } from './reporting/task-events.js';
import { prepareDirectories } from './run-state/directories.js';
import { openState, type OpenedState } from './run-state/open-state.js';
import { keepPruned } from './run-state/retry-messages.js';
import { openRevokedTasks, type RevokedTasks } from './run-state/revoked-tasks.js';
import type { Standby } from './run-state/state-lock.js';
import type { RunStore } from './run-state/run-store.js';
import { createRunScheduler, type RunScheduler } from './scheduler.js';
import { processRun } from './stages/process-run.js';
import { createSubmitGate } from './stages/submit-gate.js';
import { createTaskAcceptor } from './task-acceptor.js';
import type { WorkerHandle } from './views/handle.js';
import { createCommandLog } from './views/worker-detail.js';

/** The embedded worker. */
export interface Worker {
  readonly handle: WorkerHandle;
  /** Resumes the runs of the journal and starts to accept tasks. */
  start(): Promise<void>;
  /** Stops accepting tasks and reporting. Slurm jobs go on; the next start resumes their runs. */
  stop(): Promise<void>;
  /** Aborts when the worker cannot continue, with the reason. */
  readonly failed: AbortSignal;
  /** Aborts when Celery remote control requests a shutdown; the caller then calls {@link stop}. */
  readonly shutdown: AbortSignal;
}

export interface WorkerOptions {
  profile: string;
  settings: Settings;
  /** Environment of the commands that the worker runs; secrets are removed from what sbatch exports. */
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  clock?: Clock;
  /** Wait as long as another worker owns the state directory. */
  standby?: Standby;
  /** Called at once when another worker has taken over the state directory, before `failed` aborts. */
  onLost?: (reason: string) => void;
  /** Overrides the executor of the settings (used by the soak test). */
  executor?: Executor;
}

/** How long a stopping worker waits for a file system that does not answer. */
const hungFilesMs = 8_000;
/** How long a starting worker waits for RabbitMQ before it resumes its runs, in milliseconds. */
const headStartMs = 1_000;
/** Runs that a starting worker resumes before it turns to what else has happened. */
const resumedAtOnce = 16;

/**
 * Composition root of the worker: opens its state, then puts the parts together.
 * @throws DsaSlurmError if another worker owns the state directory, a directory cannot be written, or the submit script
 * cannot be read
 */
export async function createWorker(options: WorkerOptions): Promise<Worker> {
  const { log, clock = systemClock, standby, onLost } = options;
  const settings = await prepareDirectories(options.settings);
  const stop = new AbortController();
  const failed = new AbortController();
  let lockProblem: string | null = null;
  const releasers = createReleasers(log);
  try {
    const state = await openState({
      settings,
      by: 'worker',
      onLost(reason) {
        onLost?.(reason);
        stop.abort(reason);
        failed.abort(reason);
      },
      onProblem(problem) {
        lockProblem = problem;
      },
      ...(standby === undefined ? {} : { standby }),
      releasers,
      stopping: stop.signal,
      clock,
      log,
    });
    const revoked = await openRevokedTasks(settings.dirs.state);
    releasers.add('the list of revoked tasks', async () => revoked.close());
    const submitScript = await openSubmitScript(settings.slurm.submitScript);
    const parts = { ...state, settings, revoked, submitScript, releasers, clock, stop };
    const worker = compose(options, parts, () => lockProblem);
    return { ...worker, failed: failed.signal };
  } catch (error) {
    await releasers.release();
    throw error;
  }
}

/** What a worker has opened before its parts are put together. */
interface OpenedParts extends OpenedState {
  settings: Settings;
  revoked: RevokedTasks;
  submitScript: SubmitScript;
  releasers: Releasers;
  clock: Clock;
  stop: AbortController;
}

/** Puts the parts together: what runs commands, what processes runs, what brings tasks, and what screens and other programs see. */
function compose(
  options: WorkerOptions,
  opened: OpenedParts,
  lockProblem: () => string | null,
): Omit<Worker, 'failed'> {
  const { profile, env, log } = options;
  const { settings, lease, journal, runStore, revoked, messages, releasers, clock, stop } = opened;
  const stopping = stop.signal;
  const shutdown = new AbortController();
  let broker: Broker | null = null;
  let metrics: Metrics | null = null;

  const commands = createCommandLog(clock);
  const cluster = openWorkerCluster(options, opened, (record) => {
    commands.note(record);
    metrics?.noteCommand(record);
  });
  const { executor, apptainer, site } = cluster;

  const scheduler = createRunScheduler({
    runStore,
    async processRun(id, signal) {
      // a problem that an earlier worker had with Girder may be over
      runStore.recordVolatile(id, { type: 'girder-problem', problem: null });
      await processRun(id, services, signal);
    },
    onSettled(id) {
      girder.forget(id);
      intake.adjust();
    },
    stopping,
    log,
  });
  const { requestCancel } = scheduler;
  const girder = createGirderServices({
    settings,
    connections: opened.connections,
    runStore,
    scheduler,
    onHealth: () => intake.adjust(),
    clock,
    log,
  });
  const submitGate = createSubmitGate({
    clock,
    log,
    stopping,
    onChange() {
      intake.adjust();
      handle.changed();
    },
  });
  const services = createWorkerServices({
    ...opened,
    ...cluster,
    env,
    girder: girder.stages,
    submitGate,
    requestCancel,
    broker: () => broker,
    log,
  });

  const intake = createTaskAcceptor({
    runStore,
    broker: () => broker,
    limit: settings.worker.inFlight,
    isClosed: submitGate.isClosed,
    isRevoked: revoked.has,
    onRun: scheduler.start,
    clock,
    log,
  });
  /** Processes a run that did not come from the broker. */
  const onRun = (id: string): void => {
    scheduler.start(id);
    intake.adjust();
  };
  const retries = createRunRetries({
    runStore,
    messages,
    girderSetup: girder.setup,
    searchGirderJob: girder.stages.searchGirderJob,
    limit: settings.worker.inFlight,
    onRun,
    clock,
    log,
    stopping,
  });
  const control = createControlTarget({
    runStore,
    revoked,
    cancelSoon: scheduler.cancelSoon,
    clock,
    limit: settings.worker.inFlight,
    shutdown: settings.worker.remoteShutdown ? () => shutdown.abort('remote control') : null,
    log,
  });

  const orphans = watchOrphans(executor, runStore, settings.dirs.state, log);
  const localQueue = watchLocalQueue({
    broker: () => broker,
    stopping,
    onChange: () => handle.changed(),
    clock,
    log,
  });
  const standbys = watchStandbys(settings.dirs.state);
  releasers.add('the watch for standbys', () => standbys.stop());
  const handle = createHandle({
    profile,
    settings,
    startedAt: clock.now(),
    runStore,
    journal,
    executor,
    apptainer,
    intake,
    broker: () => broker,
    problem: () =>
      lockProblem() ??
      sharedFilesProblem() ??
      submitGate.problem() ??
      orphans.problem() ??
      girder.problem() ??
      localQueue.problem(),
    requestCancel,
    past: createFinishedRunActions({ runStore, messages, retries }),
    adoptions: createAdoptions({
      tracker: executor.tracker,
      runStore,
      stateDirectory: settings.dirs.state,
      onRun,
      clock,
      log,
    }),
    commands,
    standbys: standbys.list,
    site,
    log,
    clock,
  });

  releasers.add(
    'task events',
    publishTaskEvents(runStore, (event) => broker?.publishTaskEvent(event)),
  );
  releasers.add('the handle', () => handle.close());
  releasers.add('the watch for orphans', () => orphans.stop());
  releasers.add('shared files', guardSharedFiles(lease.hold));
  releasers.add('the tracker of jobs', async () => executor.tracker.stop());
  releasers.add('the runs', async () => {
    // the journal has their progress; a hung file system must not keep this process from exiting
    const hung = setTimeout(abandonSharedFiles, hungFilesMs).unref();
    await scheduler.idle();
    clearTimeout(hung);
  });

  async function startMetrics(listen: string): Promise<void> {
    metrics = createMetrics({ handle, runStore, clock });
    releasers.add('the counts for metrics', metrics.close);
    releasers.add('the metrics', await serveMetrics(listen, metrics.render));
    log.info({ listen }, 'serving metrics');
  }

  async function resume(): Promise<void> {
    await resumeRuns(runStore, { revoked, scheduler, stopping });
    if (!stopping.aborted) void retries.resume();
  }

  return {
    handle,
    shutdown: shutdown.signal,
    async start() {
      if (settings.metrics.listen !== null) await startMetrics(settings.metrics.listen);
      executor.tracker.start();
      const { pollSeconds } = settings.slurm;
      void keepWithinBudget({ tracker: executor.tracker, pollSeconds, site }, log);
      const connection = createWorkerBroker({
        settings,
        lease,
        intake,
        control,
        scheduler,
        onStatus: handle.changed,
        stopping,
        log,
      });
      broker = connection;
      releasers.add('the broker', async () => connection.close());
      const isKnown = (id: string): boolean => runStore.get(id) !== undefined;
      releasers.add('kept messages', keepPruned(messages, isKnown, log));
      intake.adjust();
      await exposeWorker({
        profile,
        settings,
        env,
        handle,
        runStore,
        standbys,
        lease,
        releasers,
        clock,
        log,
        stopping,
      });
      const connected = connection.start();
      // thousands of runs would delay the handshake, and new tasks need not wait until all are resumed
      await Promise.race([connected, clock.sleep(headStartMs, stopping)]);
      await Promise.all([connected, resume()]);
    },
    async stop() {
      stop.abort();
      return releasers.release();
    },
  };
}

/** Processes the runs that the journal has not finished. */
async function resumeRuns(
  runStore: RunStore,
  { revoked, scheduler, stopping }: { revoked: RevokedTasks; scheduler: RunScheduler; stopping: AbortSignal },
): Promise<void> {
  const unfinished = [...runStore.all()].filter(({ stage }) => stage !== 'finished');
  for (const [index, run] of unfinished.entries()) {
    // a connection to RabbitMQ that is still being opened would be given up after thousands at once
    if (index % resumedAtOnce === 0) await setImmediate();
    if (stopping.aborted) return;
    // revoked before it was accepted, and the worker died between journaling the one and the other
    if (revoked.has(run.id)) await scheduler.requestCancel(run.id, 'celery');
    scheduler.start(run.id);
  }
}
