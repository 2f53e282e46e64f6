import { join } from 'node:path';
import type { Command } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import type { LoadedSettings } from '../config/load.js';
import type { DoctorPort } from '../console/state/doctor-state.js';
import { addExamples, printLine, type CliContext } from './context.js';
import { addSettingsFlags, settingsArguments, settingsFor } from './settings-flags.js';
import { untilSignal } from './signals.js';

export function define(command: Command, context: CliContext): void {
  command.option('--read-only', 'disable all actions on jobs and on the worker', false);
  addSettingsFlags(command);
  addExamples(command, [
    ['dsa-slurm console', 'attach to the running worker of the profile, or run one in the console'],
    ['dsa-slurm console --read-only', 'watch only; if no worker is running, none is started'],
    ['dsa-slurm --profile lab console', 'with the profile "lab"'],
    [
      'dsa-slurm console --set slurm.pollSeconds=5',
      'query Slurm more often, if the worker runs in the console',
    ],
  ]);
  command.action(async () => {
    const { requireTerminal } = await import('../console/terminal/require-terminal.js');
    const { createPreferencesWriter: createRememberer, readPreferences } =
      await import('../console/data/preferences-file.js');
    requireTerminal(context.stdin, context.stdout);
    const { readOnly } = command.opts<{ readOnly: boolean }>();
    const loaded = await settingsFor(command, context);
    const { profile, settings } = loaded;
    const { openLog } = await import('./open-log.js');
    // the console owns the terminal: the log must not be written to it
    const log = await openLog(
      settings.log.level,
      settings.log.file ?? join(settings.dirs.state, 'console.log'),
    );
    const { openWorker: attachOrEmbed } = await import('../worker/open/open-worker.js');
    const preferences = await readPreferences(settings.dirs.state);
    const remember = createRememberer(settings.dirs.state, log);
    // load the screens while connecting to the worker or Slurm
    const [opened, { runConsole }] = await Promise.all([
      attachOrEmbed({ profile, settings, env: context.env, log, readOnly }),
      import('../console/index.js'),
    ]);
    const show = async (...ends: AbortSignal[]): ReturnType<typeof runConsole> =>
      untilSignal(async (signal, lend) =>
        runConsole({
          handle: opened.handle,
          readOnly,
          workerLifetime: opened.kind === 'embedded' ? 'endsOrDetaches' : 'continues',
          preferences,
          onPreferences: (changed) => void remember(changed),
          doctor: consoleDoctor(loaded, context),
          env: context.env,
          onSuspended: lend,
          signal: AbortSignal.any([signal, ...ends]),
        }),
      );
    if (opened.kind !== 'embedded') {
      let wish: Awaited<ReturnType<typeof show>>;
      try {
        wish = await show();
      } finally {
        await opened.close();
      }
      const isAttached = opened.handle.snapshot().link.kind === 'socket';
      if (wish !== null && isAttached) printLine(context.stdout, 'The worker keeps running.');
      return;
    }
    const { worker } = opened;
    let wish: Awaited<ReturnType<typeof show>>;
    try {
      await worker.start();
      wish = await show(worker.failed, worker.shutdown);
    } finally {
      await worker.stop();
    }
    if (worker.failed.aborted) {
      throw new DsaSlurmError(
        'worker',
        `The worker in this console stopped: ${String(worker.failed.reason)}.`,
        {
          next: 'Its runs continue on the other worker. Run the console on that host to see them.',
        },
      );
    }
    if (wish !== 'keep') return;
    printLine(context.stdout, 'Starting the worker as a service …');
    const { detachWorker: keepRunning, detachedLines: keptLines } =
      await import('../worker/open/detach-worker.js');
    const kept = await keepRunning({
      profile,
      settings,
      flags: settingsArguments(command),
      env: context.env,
    });
    for (const line of keptLines(kept, profile)) printLine(context.stdout, line);
  });
}

/** The doctor for the console, with the settings of the worker. Loaded on first use. */
function consoleDoctor(
  { profile, settings, origins, path, warnings }: LoadedSettings & { profile: string },
  { env }: CliContext,
): () => Promise<DoctorPort> {
  return async () => {
    const { createRunContext } = await import('../doctor/index.js');
    const { createCheckSession: createExaminer } = await import('../doctor/check-session.js');
    const configuration = { path, origins, warnings, problems: [] };
    return createExaminer(createRunContext({ profile, settings, configuration, env }));
  };
}
