import PQueue from 'p-queue';

import { createImageIngest } from '../apptainer/ingest.js';
import type { Clock } from '../base/clock.js';
import { createKeyedLimiter } from '../base/keyed-limiter.js';
import type { Log } from '../base/log.js';
import type { Broker } from '../celery/broker.js';
import type { Settings } from '../config/schema.js';
import { createPullLauncher, registryEnvironment } from './job-request/pull-launcher.js';
import type { SubmitScript } from './job-request/submit-script.js';
import type { GirderServices } from './reporting/girder-services.js';
import { privateDirectories } from './run-state/directories.js';
import type { Lease } from './run-state/lease.js';
import type { RetryMessages } from './run-state/retry-messages.js';
import type { RunStore } from './run-state/run-store.js';
import { createPreparation } from './stages/preparation.js';
import type { SubmitGate } from './stages/submit-gate.js';
import type { WorkerCluster } from './worker-cluster.js';
import type { WorkerServices } from './worker-services.js';

/** Runs of one Girder that are on their way to sbatch at a time. */
const preparing = 16;
/** Concurrent sbatch calls. */
const submitting = 4;

export interface WorkerServicesParts extends WorkerCluster {
  settings: Settings;
  env: Readonly<Record<string, string | undefined>>;
  runStore: RunStore;
  submitScript: SubmitScript;
  girder: GirderServices['stages'];
  submitGate: SubmitGate;
  requestCancel: WorkerServices['requestCancel'];
  messages: RetryMessages;
  lease: Pick<Lease, 'hold'>;
  /** Null until the worker has started. */
  broker: () => Pick<Broker, 'publish' | 'publishResult'> | null;
  /** Its signal aborts when the worker stops. */
  stop: AbortController;
  clock: Clock;
  log: Log;
}

/** Creates what the stages of a run need. */
export function createWorkerServices(parts: WorkerServicesParts): WorkerServices {
  const { settings, env, girder, lease, broker, clock } = parts;
  const { runStore, log, executor, apptainer, submitScript, submitGate, requestCancel, messages } = parts;
  return {
    ...girder,
    settings,
    runStore,
    clock,
    log,
    executor,
    apptainer,
    imageIngest: createImageIngest({
      run: parts.runPull,
      command: settings.apptainer.command,
      launcher: createPullLauncher(settings, parts.run),
      pullMs: settings.apptainer.pullMinutes * 60_000,
      registryEnv: registryEnvironment(env),
    }),
    submitScript,
    privateDirectories: privateDirectories(settings, env),
    preparation: createPreparation(preparing, clock),
    submitGate,
    requestCancel,
    messages,
    async publishResult(task, result) {
      await lease.hold();
      await broker()?.publishResult(task, result);
    },
    async publish(message, signal) {
      await lease.hold();
      const connection = broker();
      if (connection === null) throw new Error('runs are processed only once the worker has started');
      return connection.publish(message, signal);
    },
    lanes: {
      staging: createKeyedLimiter(settings.worker.staging),
      submitting: new PQueue({ concurrency: submitting }),
      collecting: createKeyedLimiter(settings.worker.staging),
      ingesting: new PQueue({ concurrency: 1 }),
    },
    stopping: parts.stop.signal,
  };
}
