import { setImmediate } from 'node:timers/promises';

import PQueue from 'p-queue';

import { createImageIngest } from '../apptainer/ingest.js';
import { systemClock, type Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { createKeyedLimiter } from '../base/keyed-limiter.js';
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
import type { Executor } from './executor/executor.js';
import { createClusterRunner, openCluster, type ClusterOptions } from './executor/open-cluster.js';
import { createPullLauncher, registryEnvironment } from './job-request/pull-launcher.js';
import { openSubmitScript, type SubmitScript } from './job-request/submit-script.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import { serveMetrics } from './metrics/serve-metrics.js';
import { createHandle } from './open/create-handle.js';
import { exposeWorker } from './open/expose-worker.js';
import { watchStandbys } from './open/standby.js';
import { createGirderServices } from './reporting/girder-services.js';
import { watchLocalQueue } from './reporting/local-queue.js';
import { publishTaskEvents } from './reporting/task-events.js';
import { isQuestion } from './run-state/audit-log.js';
import { prepareDirectories, privateDirectories } from './run-state/directories.js';
import { openState, type OpenedState } from './run-state/open-state.js';
import { keepPruned } from './run-state/retry-messages.js';
import { openRevokedTasks, type RevokedTasks } from './run-state/revoked-tasks.js';
import type { Standby } from './run-state/state-lock.js';
import { createRunScheduler } from './scheduler.js';
import { createPreparation } from './stages/preparation.js';
import { processRun } from './stages/process-run.js';
import { createSubmitGate } from './stages/submit-gate.js';
import { createTaskAcceptor } from './task-acceptor.js';
import type { WorkerHandle } from './views/handle.js';
import { createCommandLog } from './views/worker-detail.js';
import type { WorkerServices } from './worker-services.js';

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
/** Runs of one Girder that are on their way to sbatch at a time. */
const preparing = 16;
/** How long a starting worker waits for RabbitMQ before it resumes its runs, in milliseconds. */
const headStartMs = 1_000;
/** Runs that a starting worker resumes before it turns to what else has happened. */
const resumedAtOnce = 16;
/** Concurrent sbatch calls. */
const submitting = 4;

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

function compose(
  { profile, env, log, executor: given }: WorkerOptions,
  opened: OpenedParts,
  lockProblem: () => string | null,
): Omit<Worker, 'failed'> {
  const { settings, lease, journal, runStore, revoked, messages, audit, releasers, clock, stop } = opened;
  const stopping = stop.signal;
  const shutdown = new AbortController();
  let broker: Broker | null = null;
  let metrics: Metrics | null = null;

  const commands = createCommandLog(clock);
  const clusterOptions: ClusterOptions = {
    settings,
    env,
    cancelSignal: opened.submitScript.cancelSignal,
    onStart: audit.begin,
    onCommand(record) {
      const { file, result } = record;
      log.debug({ command: file, kind: result.kind, ms: result.ms }, 'command');
      commands.note(record);
      metrics?.noteCommand(record);
      audit.note(record);
    },
    guard: (run) => async (file, args, options) => {
      if (!isQuestion(file, args)) await lease.hold();
      return run(file, args, options);
    },
    ...(given === undefined ? {} : { executor: given }),
    clock,
    log,
  };
  const cluster = openCluster(clusterOptions);
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
  const services: WorkerServices = {
    ...girder.stages,
    settings,
    runStore,
    clock,
    log,
    executor,
    apptainer,
    imageIngest: createImageIngest({
      // separate, because a pull may take an hour and must not delay scancel
      run: createClusterRunner(clusterOptions, 1),
      command: settings.apptainer.command,
      launcher: createPullLauncher(settings, cluster.run),
      pullMs: settings.apptainer.pullMinutes * 60_000,
      registryEnv: registryEnvironment(env),
    }),
    submitScript: opened.submitScript,
    privateDirectories: privateDirectories(settings, env),
    preparation: createPreparation(preparing, clock),
    submitGate,
    requestCancel,
    messages,
    publishResult: async (task, result) => {
      await lease.hold();
      await broker?.publishResult(task, result);
    },
    publish: async (message, signal) => {
      await lease.hold();
      if (broker === null) throw new Error('runs are processed only once the worker has started');
      return broker.publish(message, signal);
    },
    lanes: {
      staging: createKeyedLimiter(settings.worker.staging),
      submitting: new PQueue({ concurrency: submitting }),
      collecting: createKeyedLimiter(settings.worker.staging),
      ingesting: new PQueue({ concurrency: 1 }),
    },
    stopping,
  };

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
    clock,
    limit: settings.worker.inFlight,
    revoked: revoked.ids,
    shutdown: settings.worker.remoteShutdown ? () => shutdown.abort('remote control') : null,
    revoke(ids, terminate) {
      revoked
        .add(ids)
        .catch((error: unknown) => log.error({ err: error }, 'could not save the list of revoked tasks'));
      for (const id of ids) {
        const hasBegun = (runStore.get(id)?.stage ?? 'accepted') !== 'accepted';
        scheduler.cancelSoon(id, terminate && hasBegun ? 'termination' : 'celery');
      }
    },
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

  async function resumeRuns(): Promise<void> {
    const unfinished = [...runStore.all()].filter(({ stage }) => stage !== 'finished');
    for (const [index, run] of unfinished.entries()) {
      // a connection to RabbitMQ that is still being opened would be given up after thousands at once
      if (index % resumedAtOnce === 0) await setImmediate();
      if (stopping.aborted) return;
      // revoked before it was accepted, and the worker died between journaling the one and the other
      if (revoked.has(run.id)) await requestCancel(run.id, 'celery');
      scheduler.start(run.id);
    }
    void retries.resume();
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
      await Promise.all([connected, resumeRuns()]);
    },
    async stop() {
      stop.abort();
      return releasers.release();
    },
  };
}
