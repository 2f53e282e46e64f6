import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { DsaSlurmError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import type { Settings } from '../config/index.js';
import { addExamples, type CliContext } from './context.js';
import { addSetFlag, settingsFor } from './settings-flags.js';
import { untilSignal } from './signals.js';

/** Maximum bytes of the last lines. */
const maxBytes = 4 * 1024 * 1024;
const pollMs = 1_000;

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
    const path = word === undefined ? ownLog(settings) : await runLog(word, settings, context);
    context.exitCode = await untilSignal(async (signal) =>
      path === null
        ? readJournal(profile, { follow, lines }, context, signal)
        : printLog(path, { follow, lines }, context, signal),
    );
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

async function runLog(word: string, settings: Settings, { env }: CliContext): Promise<string> {
  const { findRun, openRuns } = await import('../worker/runs/index.js');
  const runs = await openRuns({ settings, env, clock: systemClock, log: silentLog() });
  try {
    const view = await runs.view();
    const found = findRun(view.runs, word);
    const detail = found === null ? null : await view.detail(found.id);
    if (detail === null)
      throw new DsaSlurmError('unknown', `There is no run ${word}.`, { next: 'See: dsa-slurm runs list' });
    if (detail.logFile === null) {
      throw new DsaSlurmError('unknown', `Run ${detail.run.id} has no log yet: it is ${detail.run.stage}.`, {
        next: `See: dsa-slurm runs show ${detail.run.id}`,
      });
    }
    return detail.logFile;
  } finally {
    runs.close();
  }
}

async function printLog(
  path: string,
  { follow, lines }: { follow: boolean; lines: number },
  { stdout }: CliContext,
  signal: AbortSignal,
): Promise<number> {
  const { readLastLines, readLogPiece, sizeOfLog } = await import('../worker/logs/log-file.js');
  let offset = await sizeOfLog(path);
  const last = await readLastLines(path, lines, maxBytes);
  if (last.length > 0) stdout.write(`${printable(last.join('\n'))}\n`);
  else if (!follow && !existsSync(path)) {
    throw new DsaSlurmError('unknown', `The log ${path} does not exist (any more).`);
  }
  if (!follow) return 0;
  while (!signal.aborted) {
    const piece = await readLogPiece(path, offset);
    offset = piece.offset;
    stdout.write(printable(piece.text));
    if (piece.atEnd) await systemClock.sleep(pollMs, signal);
  }
  return 0;
}

/** The log is written by a container: escape sequences would control the terminal. */
const printable = (text: string): string => text.replaceAll(/[^\P{Cc}\n\t]/gu, '');

async function readJournal(
  profile: string,
  { follow, lines }: { follow: boolean; lines: number },
  { env }: CliContext,
  signal: AbortSignal,
): Promise<number> {
  const { unitName } = await import('../config/index.js');
  const args = [
    '--user',
    '-u',
    unitName(profile),
    '-n',
    String(lines),
    '-o',
    'cat',
    ...(follow ? ['-f'] : []),
  ];
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
