import type { Clock } from '../base/clock.js';
import type { CommandRecord, RunCommand } from '../base/command.js';
import type { Log } from '../base/log.js';
import type { Settings } from '../config/schema.js';
import type { Executor } from './executor/executor.js';
import {
  createClusterRunner,
  openCluster,
  type Cluster,
  type ClusterOptions,
} from './executor/open-cluster.js';
import type { SubmitScript } from './job-request/submit-script.js';
import { isQuestion, type AuditLog } from './run-state/audit-log.js';
import type { Lease } from './run-state/lease.js';

/** How a worker reaches Slurm and the container runtime. */
export interface WorkerCluster extends Cluster {
  /** Runs the commands that pull images, one at a time: a pull may take an hour and must not delay scancel. */
  runPull: RunCommand;
}

export interface WorkerClusterParts {
  settings: Settings;
  submitScript: Pick<SubmitScript, 'cancelSignal'>;
  audit: Pick<AuditLog, 'begin' | 'note'>;
  lease: Pick<Lease, 'hold'>;
  clock: Clock;
}

/**
 * Opens the cluster for a worker, which, unlike a view, changes things: each of its commands is audited, and none but questions
 * is run once another worker has taken over the state directory.
 */
export function openWorkerCluster(
  { env, executor, log }: { env: ClusterOptions['env']; executor?: Executor; log: Log },
  { settings, submitScript, audit, lease, clock }: WorkerClusterParts,
  onCommand: (record: CommandRecord) => void,
): WorkerCluster {
  const options: ClusterOptions = {
    settings,
    env,
    cancelSignal: submitScript.cancelSignal,
    onStart: audit.begin,
    onCommand(record) {
      const { file, result } = record;
      log.debug({ command: file, kind: result.kind, ms: result.ms }, 'command');
      onCommand(record);
      audit.note(record);
    },
    guard: (run) => async (file, args, commandOptions) => {
      if (!isQuestion(file, args)) await lease.hold();
      return run(file, args, commandOptions);
    },
    ...(executor === undefined ? {} : { executor }),
    clock,
    log,
  };
  return { ...openCluster(options), runPull: createClusterRunner(options, 1) };
}
