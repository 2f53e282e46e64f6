import type { Clock } from '../../base/clock.js';
import type { CommandRecord, RunCommand } from '../../base/command.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import type { CancelSignal } from '../../slurm/batch-script.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import type { Executor } from './executor.js';
import { createLocalExecutor } from './local.js';
import { createSlurmExecutor } from './slurm.js';

/** The executor that the settings select. */
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
  /** The signal on which the batch script ends its analysis; null if it handles none, so a cancel has one step. */
  cancelSignal: CancelSignal | null;
  /** Runs Slurm's commands. */
  run: RunCommand;
  /** The worker's environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Called for commands that are not run through `run`. */
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
