import type { Command } from 'commander';
import { addExamples, type CliContext } from '../context.js';
import { addSettingsFlags, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

export function define(command: Command, context: CliContext): void {
  addSettingsFlags(command);
  command.option(
    '--standby',
    'wait while another worker of this profile runs on any host, and take over when it stops',
  );
  addExamples(command, [
    ['dsa-slurm worker', 'with the settings of the profile and the environment'],
    [
      'LOGS=/shared/logs SIF_IMAGE_PATH=/shared/images dsa-slurm worker',
      'with the variables of the Python worker’s run.sh',
    ],
    ['dsa-slurm worker --standby', 'on a second login node with a shared state directory'],
    ['dsa-slurm --profile lab worker --queue gpu --set slurm.partition=gpu', 'with other settings'],
  ]);
  command.action(async () => {
    const { profile, settings } = await settingsFor(command, context);
    const { openLog } = await import('../open-log.js');
    const log = await openLog(settings.log, settings.log.file ?? 2, context.env);
    const { runWorkerService } = await import('../../worker/service.js');
    context.exitCode = await untilSignal((signal) =>
      runWorkerService({
        profile,
        settings,
        env: context.env,
        log,
        signal,
        standby: command.opts<{ standby?: boolean }>().standby ?? false,
        exit: (code) => process.exit(code),
      }),
    );
  });
}
