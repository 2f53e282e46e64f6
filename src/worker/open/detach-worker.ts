import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, open, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { systemClock, type Clock } from '../../base/clock.js';
import { describeFailure, createRunner, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import { shellText } from '../../base/text/shell-text.js';
import { unitDirectory, unitName, type Settings } from '../../config/index.js';
import { readOwner } from '../runs/view-journal.js';
import { findWorker } from '../socket/connect.js';

export interface DetachOptions {
  profile: string;
  /** Settings of the worker; its state directory must not be locked. */
  settings: Settings;
  /** Command-line flags with which these settings were made. */
  flags: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** For tests: command runner, program to start, and clock. */
  run?: RunCommand;
  program?: string;
  clock?: Clock;
  /** Milliseconds to wait until the worker is up. */
  patienceMs?: number;
}

/** A detached worker. `unit`: its systemd unit; null for a plain process, which writes `logFile`. */
export interface DetachedWorker {
  pid: number;
  unit: string | null;
  logFile: string;
}

const checkEveryMs = 200;

/**
 * Starts a worker that outlives this process and its terminal, and waits until it can be attached to. It runs as the systemd user
 * unit if one is installed for these settings, otherwise as a process in its own session.
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
      if (pid === null) throw failed(`${unit} was started, but no worker came up`, unit);
      return { pid, unit, logFile };
    }
    // in containers and on some login nodes, users have no systemd to start the unit
    const problem = describeFailure(answer);
    if (!/connect to .*bus|not been booted with systemd/i.test(problem) && answer.kind === 'exited') {
      throw failed(problem, unit);
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
    // also if it could not be started
    once(child, 'exit')
      .catch(() => undefined)
      .finally(() => over.abort());
    const pid = await waitForWorker(options, over.signal);
    child.unref();
    if (pid !== null) return pid;
    const text = (await readFile(logFile)).subarray(size).toString('utf8');
    throw failed(errorMessage(text) || `it did not come up; see ${logFile}`, null);
  } finally {
    await output.close();
  }
}

/**
 * Waits until the worker can be attached to. Returns its pid; null if it has ended or the time is over.
 * @throws DsaSlurmError `worker` as soon as a worker on another host has taken over the state directory
 */
async function waitForWorker(
  { settings, clock = systemClock, patienceMs = 90_000 }: DetachOptions,
  over: AbortSignal | null,
): Promise<number | null> {
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    // read before checking: our worker may have ended because another one was faster
    const isLast = over?.aborted === true || clock.monotonic() > deadline;
    const found = await findWorker({ stateDirectory: settings.dirs.state, readOnly: true, clock });
    if (found.kind === 'attached') {
      const { link } = found.worker.snapshot();
      found.worker.close();
      if (link.kind === 'socket') return link.pid;
    }
    // a standby on another host was faster
    const owner = await readOwner(settings.dirs.state);
    if (owner !== null && owner.host !== hostname()) {
      throw new DsaSlurmError(
        'worker',
        `A standby has taken over: process ${owner.pid} on ${owner.host} runs this profile now.`,
        { next: `Log in to ${owner.host} for its console. Jobs continue, and no second worker is needed.` },
      );
    }
    if (isLast) return null;
    await clock.sleep(checkEveryMs);
  }
}

/** Lines that explain how to reach and stop a detached worker. */
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
    [shellText(['dsa-slurm', ...named, 'console']), 'open the console'],
    [shellText(stop), 'stop it; its jobs continue'],
    [shellText(read), 'read its log'],
  ];
  const width = Math.max(...lines.map(([command]) => command.length)) + 3;
  return [
    `The worker continues in the background, as process ${pid}${unit === null ? '' : ` of ${unit}`}.`,
    ...lines.map(([command, meaning]) => `  ${command.padEnd(width)}${meaning}`),
  ];
}

function failed(why: string, unit: string | null): DsaSlurmError {
  return new DsaSlurmError(
    'worker',
    `The worker could not be started in the background: ${why.replace(/\.$/, '')}.`,
    {
      next:
        unit === null
          ? 'Start it with: dsa-slurm worker. Jobs continue meanwhile.'
          : `See: systemctl --user status ${unit}. Jobs continue meanwhile.`,
    },
  );
}

/** The error message of a program that ended immediately, without its log lines. */
function errorMessage(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  return lines.slice(-4).join(' ').slice(0, 1_000);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
