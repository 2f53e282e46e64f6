import { join } from 'node:path';
import type { Command } from 'commander';
import { addExamples, type CliContext } from './context.js';
import { addSettingsFlags, settingsFor } from './settings-flags.js';
import { untilSignal } from './signals.js';

export function define(command: Command, context: CliContext): void {
  addSettingsFlags(command);
  addExamples(command, [
    ['dsa-slurm console', 'with the settings of the profile and the environment'],
    ['dsa-slurm --profile lab console', 'with the profile "lab"'],
    ['dsa-slurm console --set slurm.pollSeconds=5', 'ask Slurm more often'],
  ]);
  command.action(async () => {
    const { requireTerminal, runConsole } = await import('../console/index.js');
    const { readColumns, saveColumns } = await import('../console/remembered.js');
    requireTerminal(context.stdin, context.stdout);
    const { profile, settings } = await settingsFor(command, context);
    const { openLog } = await import('./open-log.js');
    // the screen is the console's: nothing else may write to it
    const log = await openLog(
      settings.log.level,
      settings.log.file ?? join(settings.dirs.state, 'console.log'),
    );
    const { createWorker } = await import('../worker/worker.js');
    const columns = await readColumns(settings.dirs.state);
    const worker = await createWorker({ profile, settings, env: context.env, log });
    try {
      await worker.start();
      await untilSignal((signal) =>
        runConsole({
          handle: worker.handle,
          columns,
          onColumns: (chosen) => void saveColumns(settings.dirs.state, chosen, log),
          env: context.env,
          signal: AbortSignal.any([signal, worker.failed, worker.shutdown]),
        }),
      );
    } finally {
      await worker.stop();
    }
  });
}
