import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, open, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { systemClock, type Clock } from '../../base/clock.js';
import { describeFailure, createRunner, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import { shellText } from '../../base/shell-text.js';
import { unitDirectory, unitName, type Settings } from '../../config/index.js';
import { readOwner } from '../runs/view-journal.js';
import { findWorker } from '../socket/connect.js';

export interface DetachOptions {
  profile: string;
  /** Of the worker that is to run on; nobody may hold the lock of its state directory. */
  settings: Settings;
  /** Flags of this start that made the settings what they are. */
  flags: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** For tests: how commands are run, the program to start, and what time is. */
  run?: RunCommand;
  program?: string;
  clock?: Clock;
  /** Milliseconds that a start may take. */
  patienceMs?: number;
}

/** A worker that runs on. `unit`: under systemd; null: as a process of its own, which writes `logFile`. */
export interface DetachedWorker {
  pid: number;
  unit: string | null;
  logFile: string;
}

const lookEveryMs = 200;

/**
 * Starts a worker that outlives this process and its terminal, and waits until it can be attached to: as the systemd user
 * unit where one is installed for just these settings, or else as a process in a session of its own.
 * @throws DsaSlurmError `worker` if it does not come up
 */
export async function detachWorker(options: DetachOptions): Promise<DetachedWorker> {
  const { profile, settings, flags, env } = options;
  const run = options.run ?? createRunner({ env });
  const logFile = settings.log.file ?? join(settings.dirs.state, 'worker.log');
  const unit = unitName(profile);
  if (flags.length === 0 && (await isThere(join(unitDirectory(env), unit)))) {
    const answer = await run('systemctl', ['--user', 'start', unit]);
    if (answer.kind === 'exited' && answer.exitCode === 0) {
      const pid = await waitForWorker(options, null);
      if (pid === null) throw failed(`${unit} was started, but no worker is to be found`, unit);
      return { pid, unit, logFile };
    }
    // without a systemd of this user, in containers and on some login nodes, the unit is of no use
    const trouble = describeFailure(answer);
    if (!/connect to .*bus|not been booted with systemd/i.test(trouble) && answer.kind === 'exited') {
      throw failed(trouble, unit);
    }
  }
  return { pid: await startDetached(options, logFile), unit: null, logFile };
}

async function startDetached(options: DetachOptions, logFile: string): Promise<number> {
  const { profile, flags, env } = options;
  const program = options.program ?? packageFile('bin/dsa-slurm');
  const args = [`--profile=${profile}`, 'worker', ...flags, `--log-file=${logFile}`];
  const output = await open(logFile, 'a', 0o600);
  try {
    const { size } = await output.stat();
    const stdio = ['ignore', output.fd, output.fd] as const;
    const child = spawn(program, args, { detached: true, env: { ...env }, stdio: [...stdio] });
    const over = new AbortController();
    // also where it could not be started at all
    once(child, 'exit')
      .catch(() => undefined)
      .finally(() => over.abort());
    const pid = await waitForWorker(options, over.signal);
    child.unref();
    if (pid !== null) return pid;
    const said = (await readFile(logFile)).subarray(size).toString('utf8');
    throw failed(lastWords(said) || `it did not come up; see ${logFile}`, null);
  } finally {
    await output.close();
  }
}

/**
 * The number of the worker's process; null if it does not come, or has ended.
 * @throws DsaSlurmError `worker` as soon as a worker on another host holds the state directory
 */
async function waitForWorker(
  { settings, clock = systemClock, patienceMs = 90_000 }: DetachOptions,
  over: AbortSignal | null,
): Promise<number | null> {
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    // noted before looking: who was first may be the reason why ours has ended
    const isLast = over?.aborted === true || clock.monotonic() > deadline;
    const found = await findWorker({ stateDirectory: settings.dirs.state, readOnly: true, clock });
    if (found.kind === 'attached') {
      const { link } = found.worker.snapshot();
      found.worker.close();
      if (link.kind === 'socket') return link.pid;
    }
    // a standby was faster; the worker that was started here gets the lock when that one ends, or never
    const owner = await readOwner(settings.dirs.state);
    if (owner !== null && owner.host !== hostname()) {
      throw new DsaSlurmError(
        'worker',
        `A standby has taken over: process ${owner.pid} on ${owner.host} runs this profile now.`,
        { next: `Log in to ${owner.host} for its console. Jobs go on, and no second worker is needed.` },
      );
    }
    if (isLast) return null;
    await clock.sleep(lookEveryMs);
  }
}

/** How a worker that runs on is reached and stopped, for people. */
export function detachedLines({ pid, unit, logFile }: DetachedWorker, profile: string): string[] {
  const named = profile === 'default' ? [] : ['--profile', profile];
  const [stop, read] =
    unit === null
      ? [
          ['kill', String(pid)],
          ['tail', '-f', logFile],
        ]
      : [
          ['systemctl', '--user', 'stop', unit],
          ['journalctl', '--user', '-u', unit, '-f'],
        ];
  const lines: [command: string, meaning: string][] = [
    [shellText(['dsa-slurm', ...named, 'console']), 'see it again'],
    [shellText(stop), 'stop it; its jobs go on'],
    [shellText(read), 'read its log'],
  ];
  const width = Math.max(...lines.map(([command]) => command.length)) + 3;
  return [
    `The worker goes on without a screen, as process ${pid}${unit === null ? '' : ` of ${unit}`}.`,
    ...lines.map(([command, meaning]) => `  ${command.padEnd(width)}${meaning}`),
  ];
}

function failed(why: string, unit: string | null): DsaSlurmError {
  return new DsaSlurmError('worker', `The worker does not run on: ${why.replace(/\.$/, '')}.`, {
    next:
      unit === null
        ? 'Start it with: dsa-slurm worker. Jobs go on meanwhile.'
        : `See: systemctl --user status ${unit}. Jobs go on meanwhile.`,
  });
}

/** What a program that ended at once said to people, without the lines of its log. */
function lastWords(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  return lines.slice(-4).join(' ').slice(0, 1_000);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
