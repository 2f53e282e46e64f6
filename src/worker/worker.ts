import PQueue from 'p-queue';

import { createImageIngest } from '../apptainer/ingest.js';
import { createApptainer } from '../apptainer/inspect.js';
import { systemClock, type Clock } from '../base/clock.js';
import { createRunner, type CommandRecord, type RunCommand } from '../base/command.js';
import type { Log } from '../base/log.js';
import { createKeyedLimiter } from '../base/keyed-limiter.js';
import { abandonSharedFiles, guardSharedFiles, sharedFilesProblem } from '../base/network-fs.js';
import { createReleasers } from '../base/releasers.js';
import { programVersion } from '../base/version.js';
import type { Broker, BrokerStatus } from '../celery/broker.js';
import { createBrokerClient } from '../celery/broker-client.js';
import type { Task } from '../celery/messages/task.js';
import type { Settings } from '../config/schema.js';
import { tokenLifeMs } from '../girder/api/access-token.js';
import type { GirderSetup } from '../girder/api/client.js';
import { openGirderConnections } from '../girder/api/connections.js';
import { createReportLimits } from '../girder/jobs/report-limits.js';
import { slurmEnvironment } from '../slurm/environment.js';
import { readClusterInfo } from '../slurm/site.js';
import { isQuestion, openAuditLog } from './run-state/audit-log.js';
import { openRunStore } from './run-state/run-store.js';
import { processRun } from './stages/process-run.js';
import { createControlTarget } from './actions/remote-control-target.js';
import { createHandle } from './open/create-handle.js';
import { prepareDirectories, privateDirectories } from './run-state/directories.js';
import { createAdoptions } from './actions/adopt.js';
import { keepWithinBudget } from './actions/poll-interval.js';
import { createExecutor } from './executor/create-executor.js';
import type { Executor } from './executor/executor.js';
import { createUserSearch } from './reporting/find-user.js';
import { watchLocalQueue } from './reporting/local-queue.js';
import { girderAddresses } from './reporting/girder-addresses.js';
import { createGirderJobSearch } from './reporting/girder-job-search.js';
import { createGirderSlurmLoader } from './job-request/girder-slurm-loader.js';
import { createGirderHealth, type GirderActivity } from './reporting/girder-health.js';
import type { WorkerHandle } from './views/handle.js';
import { createRunScheduler } from './scheduler.js';
import { createTaskAcceptor, isSupportedTask } from './task-acceptor.js';
import { openJournal } from './run-state/journal.js';
import { keepPruned, openRetryMessages } from './run-state/retry-messages.js';
import { lockState, type Standby } from './run-state/state-lock.js';
import { createPullLauncher, registryEnvironment } from './job-request/pull-launcher.js';
import { openGirderJob } from './reporting/open-girder-job.js';
import { watchOrphans } from './actions/orphans.js';
import { createFinishedRunActions } from './actions/finished-run-actions.js';
import { createRetries } from './actions/retry.js';
import { openRevokedTasks } from './run-state/revoked-tasks.js';
import { listenForClients } from './socket/listen.js';
import { keepStatusFile, statusOf } from './run-state/status-file.js';
import { createPreparation } from './stages/preparation.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import { serveMetrics } from './metrics/serve-metrics.js';
import { sendNotices } from './notices/notices.js';
import { noticeTargets } from './notices/targets.js';
import { statusProblems } from './runs/service-status.js';
import { createSubmitGate } from './stages/submit-gate.js';
import { watchStandbys, type StandbyWatch } from './open/standby.js';
import { openSubmitScript } from './job-request/submit-script.js';
import { publishTaskEvents } from './reporting/task-events.js';
import type { WorkerServices } from './worker-services.js';
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

/** Messages that the broker may deliver before the first of them is journaled. */
const prefetch = 16;
/** Concurrent job updates per Girder; transfers are limited by `worker.staging`. */
const reportsAtOnce = 8;
/** How long a stopping worker waits for a file system that does not answer. */
const hungFilesMs = 8_000;
/** Runs of one Girder that are on their way to sbatch at a time. */
const preparing = 16;
/** Concurrent sbatch calls. */
const submitting = 4;

/**
 * Composition root of the worker.
 * @throws DsaSlurmError if another worker owns the state directory, a directory cannot be written, or the submit script
 * cannot be read
 */
export async function createWorker({
  profile,
  settings: configured,
  env,
  log,
  clock = systemClock,
  standby,
  onLost,
  executor: given,
}: WorkerOptions): Promise<Worker> {
  const settings = await prepareDirectories(configured);
  const stop = new AbortController();
  const failed = new AbortController();
  const shutdown = new AbortController();
  let lockProblem: string | null = null;
  const lease = await lockState(settings.dirs.state, {
    leaseSeconds: settings.worker.leaseSeconds,
    onLost(reason) {
      onLost?.(reason);
      stop.abort(reason);
      failed.abort(reason);
    },
    onProblem(problem) {
      lockProblem = problem;
    },
    stopping: stop.signal,
    ...(standby === undefined ? {} : { standby }),
    log,
  });
  const startedAt = clock.now();
  const releasers = createReleasers(log);
  releasers.add('the lock', async () => lease.release());
  const orRelease = async (error: unknown): Promise<never> => {
    await releasers.release();
    throw error;
  };
  // only after the lock: a standby may wait for weeks, and must not use what it read before
  const submitScript = await openSubmitScript(settings.slurm.submitScript).catch(orRelease);
  const connections = await openGirderConnections(settings.girder, lease.hold).catch(orRelease);
  releasers.add('the connections to Girder', async () => connections.close());
  const { journal, runs } = await openJournal(settings.dirs.state, log, lease).catch(orRelease);
  releasers.add('the journal', async () => journal.close());
  const revoked = await openRevokedTasks(settings.dirs.state).catch(orRelease);
  releasers.add('the list of revoked tasks', async () => revoked.close());
  const messages = await openRetryMessages(settings.dirs.state, {
    maxMs: settings.worker.retryHours * 60 * 60_000,
    maxBytes: settings.worker.retryMegabytes * 1_000_000,
    now: () => clock.now(),
    log,
  }).catch(orRelease);
  const runStore = openRunStore(runs, journal, { clock, log, stopping: stop.signal });
  const commands = createCommandLog(clock);
  const audit = openAuditLog(settings.dirs.state, { by: 'worker', clock, log });
  releasers.add('the audit log', async () => audit.close());
  const onCommand = (record: CommandRecord): void => {
    const { file, result } = record;
    log.debug({ command: file, kind: result.kind, ms: result.ms }, 'command');
    commands.note(record);
    metrics?.noteCommand(record);
    audit.note(record);
  };
  const runner = (concurrency: number): RunCommand => {
    const run = createRunner({
      env: slurmEnvironment(env, settings.slurm.environment),
      timeoutMs: settings.slurm.commandTimeoutSeconds * 1_000,
      concurrency,
      // Ctrl-C in the console or its pager must not kill an sbatch
      ownSession: true,
      onStart: audit.begin,
      onCommand,
    });
    return async (file, args, options) => {
      if (!isQuestion(file, args)) await lease.hold();
      return run(file, args, options);
    };
  };
  const command = runner(settings.worker.commandsAtOnce);
  // separate, because a pull may take an hour and must not delay scancel
  const ingestCommand = runner(1);
  const executor =
    given ??
    createExecutor({
      settings,
      cancelSignal: submitScript.cancelSignal,
      run: command,
      env,
      onCommand,
      clock,
      log,
    });
  const reportLimits = createReportLimits({
    reportMs: settings.girder.reportSeconds * 1_000,
    concurrency: reportsAtOnce,
  });
  const girderSlurm = createGirderSlurmLoader({ connections, clock, log, girder: settings.girder });
  const searchGirderJob = createGirderJobSearch({ connections, clock, log, girder: settings.girder });
  const findUser = createUserSearch({ connections, clock, log, girder: settings.girder });
  const girderHealth = createGirderHealth();
  const giveUpMs = settings.girder.giveUpHours * 60 * 60_000;

  let broker: Broker | undefined;
  let standbys: StandbyWatch | null = null;
  let metrics: Metrics | null = null;

  const scheduler = createRunScheduler({
    runStore,
    async processRun(id, signal) {
      // a problem that an earlier worker had with Girder may be over
      runStore.recordVolatile(id, { type: 'girder-trouble', trouble: null });
      await processRun(id, services, signal);
    },
    onSettled(id) {
      girderHealth.forget(id);
      intake.adjust();
    },
    log,
  });
  const { requestCancel, cancelSoon } = scheduler;
  const submitGate = createSubmitGate({
    clock,
    log,
    stopping: stop.signal,
    onChange() {
      intake.adjust();
      handle.changed();
    },
  });
  const localQueue = watchLocalQueue({
    broker: () => broker ?? null,
    stopping: stop.signal,
    onChange: () => handle.changed(),
    clock,
    log,
  });
  const orphans = watchOrphans(executor, runStore, settings.dirs.state, log);
  const apptainer = createApptainer({ run: command, command: settings.apptainer.command });
  const services: WorkerServices = {
    settings,
    runStore,
    clock,
    log,
    executor,
    apptainer,
    imageIngest: createImageIngest({
      run: ingestCommand,
      command: settings.apptainer.command,
      launcher: createPullLauncher(settings, command),
      pullMs: settings.apptainer.pullMinutes * 60_000,
      registryEnv: registryEnvironment(env),
    }),
    submitScript,
    privateDirectories: privateDirectories(settings, env),
    girderSlurm,
    searchGirderJob,
    findUser,
    preparation: createPreparation(preparing, clock),
    submitGate,
    girderSetup: ({ task }) => girderSetup(task),
    transferPatience: ({ id, acceptedAt }) => ({
      tokenExpiresAt: acceptedAt + tokenLifeMs,
      nonGirderMs: giveUpMs,
      onProblem: (problem) => noteGirderHealth(id, 'transfer', problem),
    }),
    openGirderJob: async (run) => {
      const girderJob = await openGirderJob(run, runStore, {
        ...girderSetup(run.task),
        limits: reportLimits,
        tokenExpiresAt: run.acceptedAt + tokenLifeMs,
        acceptedAt: run.acceptedAt,
        finishPatienceMs: giveUpMs,
        onCancel: () => cancelSoon(run.id, 'girder'),
        onGone: () => {
          if (settings.girder.cancelDeleted) cancelSoon(run.id, 'deletion');
        },
        onProblem: (problem) => noteGirderHealth(run.id, 'report', problem),
      });
      scheduler.addGirderJob(run.id, girderJob);
      return girderJob;
    },
    requestCancel,
    messages,
    publishResult: async (task, result) => {
      await lease.hold();
      await broker?.publishResult(task, result);
    },
    publish: async (message, signal) => {
      await lease.hold();
      if (broker === undefined) throw new Error('runs are processed only once the worker has started');
      return broker.publish(message, signal);
    },
    lanes: {
      staging: createKeyedLimiter(settings.worker.staging),
      submitting: new PQueue({ concurrency: submitting }),
      collecting: createKeyedLimiter(settings.worker.staging),
      ingesting: new PQueue({ concurrency: 1 }),
    },
    stopping: stop.signal,
  };

  const intake = createTaskAcceptor({
    runStore,
    broker: () => broker ?? null,
    limit: settings.worker.inFlight,
    isClosed: submitGate.isClosed,
    isRevoked: revoked.has,
    onRun: scheduler.start,
    clock,
    log,
  });

  function girderSetup({ id, headers }: Pick<Task, 'id' | 'headers'>): GirderSetup {
    const apiUrlMap = girderAddresses(settings.girder, headers);
    return { connections, apiUrlMap, clock, log: log.child({ run: id }) };
  }

  function noteGirderHealth(id: string, activity: GirderActivity, problem: string | null): void {
    girderHealth.set(id, activity, problem);
    if (runStore.get(id) !== undefined)
      runStore.recordVolatile(id, { type: 'girder-trouble', trouble: girderHealth.of(id) });
    // a run that only waits for Girder does not count against the in-flight limit
    intake.adjust();
  }

  const retries = createRetries({
    runStore,
    messages,
    girderSetup,
    searchGirderJob,
    limit: settings.worker.inFlight,
    onRun(id) {
      scheduler.start(id);
      intake.adjust();
    },
    clock,
    log,
    stopping: stop.signal,
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
        cancelSoon(id, terminate && hasBegun ? 'termination' : 'celery');
      }
    },
  });

  const site = settings.worker.executor === 'local' ? null : async () => readClusterInfo(command);
  const handle = createHandle({
    profile,
    settings,
    startedAt,
    runStore,
    journal,
    executor,
    apptainer,
    intake,
    broker: () => broker ?? null,
    trouble: () =>
      lockProblem ??
      sharedFilesProblem() ??
      submitGate.problem() ??
      orphans.trouble() ??
      girderHealth.problem() ??
      girderSlurm.problem() ??
      localQueue.problem(),
    requestCancel,
    past: createFinishedRunActions({ runStore, messages, retries }),
    adoptions: createAdoptions({
      tracker: executor.tracker,
      runStore,
      stateDirectory: settings.dirs.state,
      onRun(id) {
        scheduler.start(id);
        intake.adjust();
      },
      clock,
      log,
    }),
    commands,
    standbys: () => standbys?.list() ?? [],
    site,
    log,
    clock,
  });

  let wasDisconnected = false;
  /** A revoke published while the connection is down is lost, so after a reconnect every Girder job is read. */
  function onBrokerStatus({ state }: BrokerStatus): void {
    handle.changed();
    if (state === 'disconnected') wasDisconnected = true;
    if (!wasDisconnected || (state !== 'consuming' && state !== 'paused')) return;
    wasDisconnected = false;
    // a cancel in the answer reaches `onCancel`
    for (const girderJob of scheduler.girderJobs()) girderJob.read(stop.signal).catch(() => undefined);
  }

  releasers.add(
    'task events',
    publishTaskEvents(runStore, (event) => broker?.publishTaskEvent(event)),
  );
  releasers.add('the handle', () => handle.close());
  releasers.add('the watch for orphans', () => orphans.stop());
  const { forwardQueue } = settings.broker;

  releasers.add('shared files', guardSharedFiles(lease.hold));
  releasers.add('the tracker of jobs', async () => executor.tracker.stop());
  releasers.add('the runs', async () => {
    // the journal has their progress; a hung file system must not keep this process from exiting
    const hung = setTimeout(abandonSharedFiles, hungFilesMs).unref();
    await scheduler.idle();
    clearTimeout(hung);
  });
  return {
    handle,
    failed: failed.signal,
    shutdown: shutdown.signal,
    async start() {
      const { listen } = settings.metrics;
      if (listen !== null) {
        const opened = createMetrics({ handle, runStore, clock });
        metrics = opened;
        releasers.add('the counts for metrics', opened.close);
        releasers.add('the metrics', await serveMetrics(listen, opened.render));
        log.info({ listen }, 'serving metrics');
      }
      executor.tracker.start();
      void keepWithinBudget(
        { tracker: executor.tracker, pollSeconds: settings.slurm.pollSeconds, site },
        log,
      );
      const opened = createBrokerClient({
        url: settings.broker.url,
        files: settings.broker,
        queues: settings.broker.queues,
        prefetch: Math.min(prefetch, settings.worker.inFlight),
        nodeName: settings.worker.name,
        // the message is acknowledged next, so make sure that this worker still owns the state directory
        async onTask(task) {
          await intake.onTask(task);
          await lease.hold();
        },
        async onRefused(refusal) {
          await intake.onRefused(refusal);
          await lease.hold();
        },
        control,
        events: {
          version: programVersion(),
          heartbeats: settings.worker.heartbeats,
          taskEvents: settings.worker.taskEvents,
        },
        forward: forwardQueue === null ? null : { queue: forwardQueue, canRun: isSupportedTask },
        onStatus: onBrokerStatus,
        log,
      });
      broker = opened;
      releasers.add('the broker', async () => opened.close());
      for (const run of runStore.all()) {
        if (run.stage === 'finished') continue;
        // revoked before it was accepted, and the worker died between journaling the one and the other
        if (revoked.has(run.id)) await requestCancel(run.id, 'celery');
        scheduler.start(run.id);
      }
      void retries.resume();
      releasers.add(
        'kept messages',
        keepPruned(messages, (id) => runStore.get(id) !== undefined, log),
      );
      intake.adjust();
      releasers.add(
        'the status file',
        keepStatusFile(
          settings.dirs.state,
          () => statusOf(handle.snapshot(), clock.now(), standbys?.list() ?? []),
          log,
          lease,
        ),
      );
      const targets = noticeTargets(settings.notices, env);
      if (targets.length > 0) {
        const usesSlurm = settings.worker.executor === 'slurm';
        const { pollSeconds } = settings.slurm;
        releasers.add(
          'the notices',
          sendNotices({
            profile,
            worker: settings.worker.name,
            on: settings.notices.on,
            intervalMs: settings.notices.intervalSeconds * 1_000,
            targets,
            runStore,
            problems() {
              const status = statusOf(handle.snapshot(), clock.now(), []);
              // paused by the operator, or because enough runs are in flight; a blocked intake has a problem of its own
              return statusProblems(status, { now: clock.now(), pollSeconds, usesSlurm }).filter(
                ({ about }) => about !== 'rabbitmq' || status.broker.state !== 'paused',
              );
            },
            clock,
            log,
            stopping: stop.signal,
          }),
        );
      }
      const watch = watchStandbys(settings.dirs.state);
      standbys = watch;
      releasers.add('the watch for standbys', () => watch.stop());
      releasers.add('the socket', await listenForClients(settings.dirs.state, handle, log));
      await opened.start();
    },
    async stop() {
      stop.abort();
      return releasers.release();
    },
  };
}
