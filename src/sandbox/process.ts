import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { DsaSlurmError } from '../base/errors.js';
import type { Log } from '../base/log.js';

/** A service of the sandbox. It runs in the foreground as a child process, so its process id is known. */
export interface Child {
  name: string;
  pid: number;
  /** Its own log once that has content, otherwise its standard output and error. */
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
 * Starts a child in its own process group: a Ctrl-C in the terminal reaches this process but not the services, which are
 * then stopped in order. If `setpriv` (util-linux) is installed, the kernel also ends the child when this process is killed.
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
        // Even if it exited on its own: the processes of its group must not outlive it.
        signalGroup(pid, 'SIGKILL');
        await exited;
      },
    };
  } finally {
    await log.close();
  }
}

/** A service could not be started; the message ends with the last log lines of the daemon that failed. */
class StartError extends DsaSlurmError {
  constructor(sentence: string, child: Child) {
    const file = child.logFile();
    const lines = lastLines(file);
    const log = lines === '' ? 'Its log is empty.' : `The last lines of its log:\n${lines}`;
    super('sandbox', `${sentence} ${log}`, { next: `The log is ${file}, if --keep was given.` });
  }
}

/** A child exited while its service was starting. */
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

/** How long and how often {@link untilReady} calls `ready`. */
interface WaitOptions {
  /** Must keep running meanwhile; the wait fails as soon as one exits. */
  children: readonly [Child, ...Child[]];
  /** Which child to blame for a timeout. Default: the last one. */
  suspect?: () => Promise<Child | undefined>;
  timeoutMs?: number;
  stepMs?: number;
  signal?: AbortSignal;
}

/** Polls until `ready` returns true. @throws DsaSlurmError `sandbox`, which names the child that failed */
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
 * Starts a service again, up to three times, when one of its daemons exited. Another program may have taken a port
 * between the search for a free one and the daemon's bind; `start` chooses new ports each time.
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
    // the group is empty
  }
}

async function quietDelay(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // aborted: the child exited first
  }
}
