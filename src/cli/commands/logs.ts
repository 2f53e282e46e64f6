import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { systemClock } from '../../base/clock.js';
import { DsaSlurmError } from '../../base/errors.js';
import { silentLog } from '../../base/log.js';
import type { Settings } from '../../config/index.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

/** `dsa-slurm logs`: the log of a run's job, or of the worker. */
export function define(command: Command, context: CliContext): void {
  command
    .description("Print the end of the log of a run's Slurm job, or of the worker's own log without a run.")
    .argument('[run]', 'beginning of its id, id of its Girder job, or Slurm job id')
    .option('-f, --follow', 'print new lines until interrupted', false)
    .option('-n, --lines <n>', 'number of lines (default: 100)', wholeNumber);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm logs 1f0c27 -f', 'follow what an analysis prints'],
    ['dsa-slurm logs -n 500', "the worker's log: its file, or systemd's journal"],
  ]);
  command.action(async (word: string | undefined) => {
    const { follow, lines = 100 } = command.opts<{ follow: boolean; lines?: number }>();
    const { settings, profile } = await settingsFor(command, context);
    context.exitCode = await untilSignal(async (signal) => {
      const { printLog } = await import('../../worker/logs/print-log.js');
      const path = word === undefined ? ownLog(settings) : await runLog(word, settings, signal);
      if (path === null) return readJournal(profile, { follow, lines }, context, signal);
      const write = (text: string): void => void context.stdout.write(text);
      await printLog(path, { follow, lines, write, clock: systemClock, signal });
      return 0;
    });

    async function runLog(run: string, settings: Settings, signal: AbortSignal): Promise<string> {
      const { findRunLog, openRuns } = await import('../../worker/runs/index.js');
      const runs = await openRuns({ settings, env: context.env, clock: systemClock, log: silentLog() });
      const onWait = (text: string): void => printLine(context.stderr, `dsa-slurm: ${text}`);
      try {
        return await findRunLog(runs, run, { follow, onWait, clock: systemClock, signal });
      } finally {
        runs.close();
      }
    }
  });
}

/** The file of the worker's log; null if it goes to systemd's journal. */
function ownLog({ log, dirs }: Settings): string | null {
  if (log.file !== null) return log.file;
  // of a worker that a console left running, or of a worker inside of a console
  return (
    ['worker.log', 'console.log'].map((name) => join(dirs.state, name)).find((path) => existsSync(path)) ??
    null
  );
}

async function readJournal(
  profile: string,
  { follow, lines }: { follow: boolean; lines: number },
  { env, stderr }: CliContext,
  signal: AbortSignal,
): Promise<number> {
  const { unitName } = await import('../../config/index.js');
  const unit = unitName(profile);
  // journalctl prints nothing for a unit that has never run
  printLine(stderr, `dsa-slurm: No log file; this is systemd's journal of ${unit}.`);
  const args = ['--user', '-u', unit, '-n', String(lines), '-o', 'cat', ...(follow ? ['-f'] : [])];
  const child = spawn('journalctl', args, { env, stdio: ['ignore', 'inherit', 'inherit'], signal });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 0;
  } catch (cause) {
    if (signal.aborted) return 0;
    throw new DsaSlurmError(
      'unknown',
      "The worker's log is not in a file, and journalctl cannot be started.",
      {
        next: 'Set a file: dsa-slurm config set log.file <path>',
        cause,
      },
    );
  }
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number from 1 to 999999.');
  return Number(text);
}
