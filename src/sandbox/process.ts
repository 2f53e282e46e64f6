import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { DsaSlurmError } from '../base/errors.js';
import type { Log } from '../base/log.js';

/** A service of the practice site that runs in the foreground as our child, so that we hold its process id. */
export interface Child {
  name: string;
  pid: number;
  logFile: string;
  running(): boolean;
  /** SIGTERM, and SIGKILL to its whole process group after `graceMs` (default 3,000). Resolves once it is gone. */
  stop(graceMs?: number): Promise<void>;
  /** The last resort, for an `exit` listener: SIGKILL to its process group, at once. */
  killNow(): void;
}

export interface ChildOptions {
  name: string;
  file: string;
  args: readonly string[];
  /** The whole environment. */
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Standard output and error are appended here. */
  logFile: string;
}

/**
 * Starts a child in its own process group: a Ctrl-C in the terminal reaches us and not the services, which are then
 * stopped in order. Where util-linux' `setpriv` is at hand the kernel ends the child too if we are killed outright.
 */
export async function startChild({ name, file, args, env, cwd, logFile }: ChildOptions): Promise<Child> {
  const log = await open(logFile, 'a', 0o600);
  try {
    const [program, vector] = withParentDeathSignal(file, args);
    const child = spawn(program, vector, {
      cwd,
      env: { ...env },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const started = new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    try {
      await started;
    } catch (cause) {
      throw new DsaSlurmError('sandbox', `${name} could not be started: ${String(cause)}`, {
        cause,
      });
    }
    const pid = child.pid ?? 0;
    const running = () => child.exitCode === null && child.signalCode === null;
    return {
      name,
      pid,
      logFile,
      running,
      killNow: () => signalGroup(pid, 'SIGKILL'),
      async stop(graceMs = 3_000) {
        if (running()) {
          child.kill('SIGTERM');
          const timeout = new AbortController();
          await Promise.race([exited, quietDelay(graceMs, timeout.signal)]);
          timeout.abort();
        }
        // Also when it ended by itself: what it started in its group must not outlive it.
        signalGroup(pid, 'SIGKILL');
        await exited;
      },
    };
  } finally {
    await log.close();
  }
}

/** A child ended by itself while it was waited for. */
export class ChildEndedError extends DsaSlurmError {
  /** @param output the last lines of what it said */
  constructor(child: Pick<Child, 'name' | 'logFile'>, what: string, output: string) {
    const said = output === '' ? 'It said nothing.' : `It said last:\n${output}`;
    super('sandbox', `${child.name} ended while ${what} was being started. ${said}`, {
      next: `All of its output is in ${child.logFile}.`,
    });
  }
}

/** The site's directory may be gone by the time somebody reads the error, so the error carries the end of the log. */
async function lastLines(file: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8');
    return text.trimEnd().split('\n').slice(-15).join('\n').slice(-2_000);
  } catch {
    return '';
  }
}

/** Asks `ready` until it says yes. The child's own death ends the wait with the last lines of its log. */
export async function untilReady(
  what: string,
  ready: () => Promise<boolean>,
  options: { children?: readonly Child[]; timeoutMs?: number; stepMs?: number } = {},
): Promise<void> {
  const { children = [], timeoutMs = 30_000, stepMs = 50 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await ready()) return;
    const dead = children.find((child) => !child.running());
    if (dead !== undefined) {
      throw new ChildEndedError(dead, what, await lastLines(dead.logFile));
    }
    if (performance.now() > deadline) {
      const output = children[0] === undefined ? '' : ` Its output is in ${children[0].logFile}.`;
      throw new DsaSlurmError('sandbox', `${what} was not ready within ${timeoutMs / 1000} s.${output}`);
    }
    await delay(stepMs);
  }
}

/**
 * Starts a service again, up to three times, when one of its daemons ended by itself. Between the look for a free port
 * and the daemon's own bind another program may have taken it: `start` chooses its ports anew each time.
 */
export async function retryWhenChildEnds<Service>(
  what: string,
  log: Log,
  start: () => Promise<Service>,
): Promise<Service> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof ChildEndedError) || attempt === 3) throw error;
      log.warn({ attempt, error: error.message }, `${what} did not start; trying again on other ports`);
    }
  }
}

function withParentDeathSignal(file: string, args: readonly string[]): [string, string[]] {
  const setpriv = '/usr/bin/setpriv';
  if (!existsSync(setpriv)) return [file, [...args]];
  return [setpriv, ['--pdeathsig', 'TERM', '--', file, ...args]];
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // nobody is left in the group
  }
}

async function quietDelay(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // the other side of the race was first
  }
}
