import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { DsaSlurmError } from '../base/errors.js';
import type { Log } from '../base/log.js';

/** A service of the sandbox that runs in the foreground as our child, so that we hold its process id. */
export interface Child {
  name: string;
  pid: number;
  /** Where its messages are: its own log once there is something in it, else what it printed. */
  logFile(): string;
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
  output: string;
  /** The log that the program itself writes, if it has one. */
  ownLog?: string;
}

/**
 * Starts a child in its own process group: a Ctrl-C in the terminal reaches us and not the services, which are then
 * stopped in order. Where util-linux' `setpriv` is at hand the kernel ends the child too if we are killed outright.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, file, args, env, cwd, output, ownLog } = options;
  const log = await open(output, 'a', 0o600);
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
      logFile: () => (ownLog !== undefined && hasContent(ownLog) ? ownLog : output),
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

/** A service could not be started; the message ends with the last lines of the log of the daemon that is to blame. */
class StartError extends DsaSlurmError {
  constructor(sentence: string, child: Child) {
    const file = child.logFile();
    const lines = lastLines(file);
    const log = lines === '' ? 'Its log is empty.' : `The last lines of its log:\n${lines}`;
    super('sandbox', `${sentence} ${log}`, { next: `The log is ${file}, if --keep was given.` });
  }
}

/** A child ended by itself while it was waited for. */
export class ChildEndedError extends StartError {
  constructor(child: Child, what: string) {
    super(`${child.name} ended while ${what} was being started.`, child);
  }
}

function lastLines(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).join('\n').slice(-2_000);
  } catch {
    return '';
  }
}

function hasContent(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** How long and how often {@link untilReady} asks. */
interface WaitOptions {
  /** What has to run meanwhile. The death of one ends the wait. */
  children: readonly [Child, ...Child[]];
  /** Which of them kept the service from being ready in time. Default: the last one. */
  suspect?: () => Promise<Child | undefined>;
  timeoutMs?: number;
  stepMs?: number;
  signal?: AbortSignal;
}

/** Asks `ready` until it says yes. @throws DsaSlurmError `sandbox`, which names the child that failed */
export async function untilReady(
  what: string,
  ready: () => Promise<boolean>,
  { children, suspect, timeoutMs = 30_000, stepMs = 50, signal }: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await ready()) return;
    const dead = children.find((child) => !child.running());
    if (dead !== undefined) throw new ChildEndedError(dead, what);
    if (performance.now() > deadline) {
      const child = (await suspect?.()) ?? children.at(-1) ?? children[0];
      const sentence = `${what} was not ready within ${timeoutMs / 1000} s: ${child.name} did not come up.`;
      throw new StartError(sentence, child);
    }
    await delay(stepMs, undefined, { signal });
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
