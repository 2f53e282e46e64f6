import type { Clock } from '../../base/clock.js';
import type { CommandRecord, RunCommand } from '../../base/command.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import type { Executor } from './executor.js';
import { createLocalExecutor } from './local.js';
import { createSlurmExecutor } from './slurm.js';

/** Whoever runs the jobs, as the settings say. */
export function createExecutor({
  settings,
  handsSignalsOn,
  run,
  env,
  onCommand,
  clock,
  log,
}: {
  settings: Settings;
  /** The batch script is one of ours, which hands signals on to the container. */
  handsSignalsOn: boolean;
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
    return createSlurmExecutor({ run, settings: settings.slurm, handsSignalsOn, clock, log });
  }
  return createLocalExecutor({
    stateDirectory: settings.dirs.state,
    concurrency: settings.worker.localJobs,
    graceMs: handsSignalsOn ? settings.slurm.cancelSeconds * 1_000 : 0,
    env: slurmEnvironment(env, settings.slurm.environment),
    onCommand,
    clock,
    log,
  });
}
