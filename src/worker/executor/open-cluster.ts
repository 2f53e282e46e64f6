import { createApptainer, type Apptainer } from '../../apptainer/inspect.js';
import type { Clock } from '../../base/clock.js';
import { createRunner, type CommandRecord, type RunCommand, type RunnerOptions } from '../../base/command.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import type { CancelSignal } from '../../slurm/batch-script.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import { readClusterInfo, type ClusterInfo } from '../../slurm/site.js';
import { createExecutor } from './create-executor.js';
import type { Executor } from './executor.js';

/** How a process reaches Slurm and the container runtime. */
export interface Cluster {
  run: RunCommand;
  executor: Executor;
  apptainer: Apptainer;
  /** Reads what the cluster allows; null if jobs run on this host. */
  site: (() => Promise<ClusterInfo>) | null;
}

export interface ClusterOptions {
  settings: Settings;
  env: Readonly<Record<string, string | undefined>>;
  /** See `createExecutor`. */
  cancelSignal: CancelSignal | null;
  onStart?: NonNullable<RunnerOptions['onStart']>;
  onCommand: (record: CommandRecord) => void;
  /** Wraps what runs the commands. */
  guard?: (run: RunCommand) => RunCommand;
  /** Overrides the executor of the settings. */
  executor?: Executor;
  clock: Clock;
  log: Log;
}

/** Creates what runs Slurm's commands, for a worker, a view without one, and `dsa-slurm runs`. Starts nothing. */
export function openCluster(options: ClusterOptions): Cluster {
  const { settings } = options;
  const run = createClusterRunner(options, settings.worker.commandsAtOnce);
  return {
    run,
    executor: options.executor ?? createExecutor({ ...options, run }),
    apptainer: createApptainer({ run, command: settings.apptainer.command }),
    site: settings.worker.executor === 'local' ? null : async () => readClusterInfo(run),
  };
}

/** @param concurrency commands at a time */
export function createClusterRunner(
  {
    settings,
    env,
    onStart,
    onCommand,
    guard = (run) => run,
  }: Pick<ClusterOptions, 'settings' | 'env' | 'onStart' | 'onCommand' | 'guard'>,
  concurrency: number,
): RunCommand {
  return guard(
    createRunner({
      env: slurmEnvironment(env, settings.slurm.environment),
      timeoutMs: settings.slurm.commandTimeoutSeconds * 1_000,
      concurrency,
      // Ctrl-C in the console or its pager must not kill an sbatch
      ownSession: true,
      ...(onStart === undefined ? {} : { onStart }),
      onCommand,
    }),
  );
}
