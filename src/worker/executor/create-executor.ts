import type { Clock } from '../../base/clock.js';
import type { CommandRecord, RunCommand } from '../../base/command.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import type { CancelSignal } from '../../slurm/batch-script.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import type { Executor } from './executor.js';
import { createLocalExecutor } from './local.js';
import { createSlurmExecutor } from './slurm.js';

/** Whoever runs the jobs, as the settings say. */
export function createExecutor({
  settings,
  cancelSignal,
  run,
  env,
  onCommand,
  clock,
  log,
}: {
  settings: Settings;
  /** How the batch script is asked to end its analysis; null: not at all, so jobs are canceled in one step. */
  cancelSignal: CancelSignal | null;
  /** Runs Slurm's commands. */
  run: RunCommand;
  /** The worker's own. */
  env: Readonly<Record<string, string | undefined>>;
  /** Told of what is run without `run`. */
  onCommand: (record: CommandRecord) => void;
  clock: Clock;
  log: Log;
}): Executor {
  if (settings.worker.executor === 'slurm') {
    return createSlurmExecutor({
      run,
      settings: settings.slurm,
      logsDirectory: settings.dirs.logs,
      cancelSignal,
      clock,
      log,
    });
  }
  return createLocalExecutor({
    stateDirectory: settings.dirs.state,
    concurrency: settings.worker.localJobs,
    graceMs: cancelSignal !== null ? settings.slurm.cancelSeconds * 1_000 : 0,
    env: slurmEnvironment(env, settings.slurm.environment),
    onCommand,
    clock,
    log,
  });
}
