import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { DsaSlurmError } from '../../base/errors.js';
import type { LoadedSettings } from '../../config/load.js';
import type { DetachedWorker } from '../../worker/open/detach-worker.js';
import type * as Screens from '../../console/index.js';
import type { DoctorPort } from '../../console/state/doctor-state.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { addSettingsFlags, settingsArguments, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

interface ConsoleFlags {
  readOnly: boolean;
  worker: boolean;
  yes: boolean;
}

export function define(command: Command, context: CliContext): void {
  command
    .option('--read-only', 'disable all actions on jobs and on the worker; never start a worker', false)
    .option('--worker', 'if no worker is running, run one in the console without asking', false)
    .option('-y, --yes', 'answer yes to that question: the same as --worker', false);
  addSettingsFlags(command);
  addExamples(command, [
    ['dsa-slurm console', 'attach to the running worker of the profile; if none is running, ask'],
    ['dsa-slurm console --worker', 'if none is running, run one in the console'],
    ['dsa-slurm console --read-only', 'watch only; if no worker is running, none is started'],
    ['dsa-slurm --profile lab console', 'with the profile "lab"'],
    [
      'dsa-slurm console --set slurm.pollSeconds=5',
      'query Slurm more often, if the worker runs in the console',
    ],
  ]);
  command.action(async () => {
    const { requireTerminal } = await import('../../console/terminal/require-terminal.js');
    const { createPreferencesWriter: createRememberer, readPreferences } =
      await import('../../console/data/preferences-file.js');
    requireTerminal(context.stdin, context.stdout);
    const { readOnly, worker: embed, yes } = command.opts<ConsoleFlags>();
    const loaded = await settingsFor(command, context);
    const { profile, settings } = loaded;
    const { openLog } = await import('../open-log.js');
    // the console owns the terminal: the log must not be written to it
    const log = await openLog(
      settings.log,
      settings.log.file ?? join(settings.dirs.state, 'console.log'),
      context.env,
    );
    const { openWorker: attachOrEmbed } = await import('../../worker/open/open-worker.js');
    const preferences = await readPreferences(settings.dirs.state);
    const remember = createRememberer(settings.dirs.state, log);
    const detach = async (): Promise<DetachedWorker> => {
      const { detachWorker } = await import('../../worker/open/detach-worker.js');
      return detachWorker({ profile, settings, flags: settingsArguments(command), env: context.env });
    };
    const startService = async (): Promise<string> => {
      const { pid, unit } = await detach();
      return `The worker is running, as process ${pid}${unit === null ? '' : ` of ${unit}`}.`;
    };
    const opened = await attachOrEmbed({
      profile,
      settings,
      env: context.env,
      log,
      readOnly,
      whenNoneRuns: async () => (embed || yes ? 'inside' : askForWorker(loaded, context, startService)),
      // they load while the worker serializes thousands of rows; before that, they would delay the question
      onAsked: () => void loadScreens(),
    });
    const { runConsole } = await loadScreens();
    const show = async (...ends: AbortSignal[]): ReturnType<typeof runConsole> =>
      untilSignal(async (signal, lend) =>
        runConsole({
          handle: opened.handle,
          readOnly,
          workerLifetime: opened.kind === 'embedded' ? 'endsOrDetaches' : 'continues',
          preferences,
          onPreferences: (changed) => void remember(changed),
          ...(opened.kind === 'embedded' ? {} : { startWorker: startService }),
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
      const { link } = opened.handle.snapshot();
      const isAttached = link.kind === 'socket' && !link.ended;
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
    const { detachedLines } = await import('../../worker/open/detach-worker.js');
    for (const line of detachedLines(await detach(), profile)) printLine(context.stdout, line);
  });
}

async function loadScreens(): Promise<typeof Screens> {
  return import('../../console/index.js');
}

/**
 * Asks what to do where no worker runs: one would take tasks from the queue at once.
 * @param startService resolves with a message once a worker runs as a service
 */
async function askForWorker(
  { profile, settings: { broker, worker } }: LoadedSettings & { profile: string },
  { stdin, stdout }: CliContext,
  startService: () => Promise<string>,
): Promise<'inside' | 'started' | 'none'> {
  const isLocal = worker.executor === 'local';
  const queue = `queue ${broker.queues.join(' and ')}`;
  const lines = [
    `No worker of profile "${profile}" is running.`,
    `  w  run one in this console: it takes tasks from ${queue} at once, and ends with the console`,
    `  s  start one as a service, and attach to it: it takes tasks from ${queue}, and continues`,
    isLocal ? '  n  start none, and leave' : '  n  start none: only look at runs and jobs',
  ];
  for (const line of lines) printLine(stdout, line);
  // not in raw mode: Ctrl-C ends the program, and a dumb terminal is enough
  const reader = createInterface({ input: stdin, output: stdout, terminal: false });
  try {
    const closed = new Promise<string>((resolve) => reader.once('close', () => resolve('n')));
    for (;;) {
      const answer = await Promise.race([reader.question('w, s or n? [n] '), closed]);
      switch (answer.trim().toLowerCase()) {
        case 'w':
        case 'y':
        case 'yes':
          return 'inside';
        case 's':
          printLine(stdout, 'Starting the worker …');
          printLine(stdout, await startService());
          return 'started';
        case '':
        case 'n':
        case 'no':
          return 'none';
        default:
          printLine(stdout, `"${printable(answer.trim())}" is not one of w, s and n.`);
      }
    }
  } finally {
    reader.close();
  }
}

function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?').slice(0, 40);
}

/** The doctor for the console, with the settings of the worker. Loaded on first use. */
function consoleDoctor(
  { profile, settings, origins, path, warnings }: LoadedSettings & { profile: string },
  { env }: CliContext,
): () => Promise<DoctorPort> {
  return async () => {
    const { createRunContext } = await import('../../doctor/index.js');
    const { createCheckSession: createExaminer } = await import('../../doctor/check-session.js');
    const configuration = { path, origins, warnings, problems: [] };
    return createExaminer(createRunContext({ profile, settings, configuration, env }));
  };
}
