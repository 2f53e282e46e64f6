import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

import PQueue from 'p-queue';

import { maskArguments } from './text/redact.js';

/** The result of a command. Failures are data, not exceptions, and never look like empty output. */
export type CommandResult =
  | { kind: 'exited'; exitCode: number; stdout: string; stderr: string; ms: number }
  /** Not found or not executable. */
  | { kind: 'missing'; reason: string; ms: number }
  | { kind: 'timeout'; ms: number }
  | { kind: 'killed'; signal: string; stderr: string; ms: number }
  /** Printed more than `maxBytes`. */
  | { kind: 'overflow'; ms: number }
  /** Aborted by the caller's signal. */
  | { kind: 'aborted'; ms: number };

export interface CommandOptions {
  /** Milliseconds until the command gets SIGTERM, and SIGKILL 2 s later. Default: the runner's. */
  timeoutMs?: number;
  /** Written to standard input; default: empty input. */
  input?: string;
  cwd?: string;
  /** Merged into the runner's environment; `undefined` removes a variable. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Maximum bytes of each output stream; a command that prints more is killed. Default 64 MiB. */
  maxBytes?: number;
  /** Called with the output of both streams while the command runs. */
  onOutput?: (text: string) => void;
  signal?: AbortSignal;
}

/** Runs a program with an argument vector, never through a shell. */
export type RunCommand = (
  file: string,
  args: readonly string[],
  options?: CommandOptions,
) => Promise<CommandResult>;

/** A command that is about to start. Secrets in its arguments are masked. */
export interface StartedCommand {
  at: number;
  file: string;
  args: readonly string[];
}

/** A finished command, for the audit log and the console; `at` is when it ended. */
export interface CommandRecord extends StartedCommand {
  result: CommandResult;
}

export interface RunnerOptions {
  /** The complete environment of every command; `LC_ALL=C.UTF-8` is added so that messages are not translated. */
  env: Readonly<Record<string, string | undefined>>;
  /** Default timeout in milliseconds. Default 30,000. */
  timeoutMs?: number;
  /** Commands that run at one time; further ones wait. Default 8. */
  concurrency?: number;
  /** Start each command in its own session, so that Ctrl-C and the end of this terminal do not reach it. */
  ownSession?: boolean;
  /** Called before each command starts. */
  onStart?: (command: StartedCommand) => void;
  /** Called after each command ended. */
  onCommand?: (record: CommandRecord) => void;
}

/** Creates a {@link RunCommand} that starts real processes. */
export function createRunner({
  env,
  timeoutMs = 30_000,
  concurrency = 8,
  ownSession = false,
  onStart: onBegin,
  onCommand,
}: RunnerOptions): RunCommand {
  const queue = new PQueue({ concurrency });
  return async (file, args, options = {}) => {
    const named = { file, args: maskArguments(args) };
    const result = await queue.add(async () => {
      onBegin?.({ at: Date.now(), ...named });
      return runOnce(file, args, { timeoutMs, ownSession, ...options }, env);
    });
    onCommand?.({ at: Date.now(), ...named, result });
    return result;
  };
}

/**
 * Node blocks between fork and exec, so a working directory, program or `PATH` directory on a hanging file system would
 * block the whole process. Therefore coreutils' env is started, which looks them up in the child process.
 */
const starter = '/usr/bin/env';

function starterArguments(file: string, args: readonly string[], cwd: string | undefined): string[] {
  return [...(cwd === undefined ? [] : [`--chdir=${cwd}`]), file, ...args];
}

/**
 * Why env could not start the program; null if it did. Up to coreutils 9.9, env prefixes its messages with the path it was
 * started with, since 9.10 with "env". A program can print such a line too (for example a script whose interpreter is
 * missing), so the message must name the file that env was given.
 * @param file the program that env was given
 * @returns a system error code, or env's message
 */
export function reasonNotStarted(file: string, exitCode: number, stderr: string): string | null {
  if (exitCode < 125 || exitCode > 127) return null;
  const message = /^(?:\/usr\/bin\/)?env: (.*)/.exec(stderr)?.[1];
  if (message === undefined) return null;
  const isFromEnv =
    exitCode === 125
      ? /^(?:cannot change directory to|unrecognized option '--chdir)/.test(message)
      : message.startsWith(`${asEnvQuotes(file)}: `);
  if (!isFromEnv) return null;
  if (message.endsWith('No such file or directory')) return 'ENOENT';
  return message.endsWith('Permission denied') ? 'EACCES' : message;
}

/** Quotes like GNU coreutils in the C.UTF-8 locale, in which every command runs. */
function asEnvQuotes(name: string): string {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('’', '\\’').replaceAll('\n', '\\n');
  return `‘${escaped}’`;
}

async function runOnce(
  file: string,
  args: readonly string[],
  options: CommandOptions & Required<Pick<RunnerOptions, 'timeoutMs' | 'ownSession'>>,
  baseEnv: RunnerOptions['env'],
): Promise<CommandResult> {
  const started = performance.now();
  const env: Record<string, string> = { LC_ALL: 'C.UTF-8' };
  for (const [name, value] of Object.entries({ ...baseEnv, ...options.env })) {
    if (value !== undefined && name !== 'LC_ALL') env[name] = value;
  }
  // loaded with the first command: a console that attaches runs none, and must not wait for it
  const { execa } = await import('execa');
  const running = execa(starter, starterArguments(file, args, options.cwd), {
    reject: false,
    extendEnv: false,
    env,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    detached: options.ownSession,
    forceKillAfterDelay: 2_000,
    // execa would also copy the output into its error message: many times the output in memory
    buffer: false,
  });
  const timer = killTreeAfter(options.timeoutMs, running.pid, options.signal);
  const maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  let hasOverflowed = false;
  const collect = (stream: Readable): (() => string) =>
    collectText(stream, maxBytes, options.onOutput, () => {
      hasOverflowed = true;
      if (running.pid !== undefined) kill(descendants(running.pid), 'SIGKILL');
    });
  const [stdout, stderr] = [collect(running.stdout), collect(running.stderr)];
  const result = await running;
  const isTimedOut = timer.stop();
  const ms = Math.round(performance.now() - started);
  if (isTimedOut) return { kind: 'timeout', ms };
  if (result.isCanceled) return { kind: 'aborted', ms };
  if (hasOverflowed) return { kind: 'overflow', ms };
  if (result.signal !== undefined) {
    return { kind: 'killed', signal: result.signal, stderr: stderr(), ms };
  }
  if (result.exitCode === undefined) {
    return { kind: 'missing', reason: result.code ?? 'could not be started', ms };
  }
  const reason = reasonNotStarted(file, result.exitCode, stderr());
  if (reason !== null) return { kind: 'missing', reason, ms };
  return {
    kind: 'exited',
    exitCode: result.exitCode,
    stdout: stdout(),
    stderr: stderr(),
    ms,
  };
}

/**
 * Kills a command and all its descendants on timeout or abort. If only a wrapper script were killed, the program that it
 * waits for would keep running and hold the output pipes open.
 */
function killTreeAfter(
  ms: number,
  pid: number | undefined,
  signal: AbortSignal | undefined,
): { stop(): boolean } {
  let isTimedOut = false;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (pid === undefined) return;
    const tree = descendants(pid);
    kill(tree, 'SIGTERM');
    killTimer = setTimeout(() => kill([...new Set([...tree, ...descendants(pid)])], 'SIGKILL'), 2_000);
  };
  const timer = setTimeout(() => {
    isTimedOut = true;
    end();
  }, ms);
  signal?.addEventListener('abort', end, { once: true });
  return {
    stop() {
      clearTimeout(timer);
      clearTimeout(killTimer);
      signal?.removeEventListener('abort', end);
      return isTimedOut;
    },
  };
}

/** A process and all its descendants, from /proc. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // state and parent follow the name, which is in parentheses and can contain anything
      const parent = Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // it has already ended
    }
  }
  const tree = [pid];
  for (const each of tree) tree.push(...(children.get(each) ?? []));
  return tree;
}

function kill(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has already ended
    }
  }
}

/**
 * Collects the text of a stream, at most `maxBytes`. Decodes each chunk immediately, so that memory stays below twice that.
 * @returns a function that returns the text so far
 */
function collectText(
  stream: Readable,
  maxBytes: number,
  onOutput: CommandOptions['onOutput'],
  onOverflow: () => void,
): () => string {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes > maxBytes) return;
    bytes += chunk.length;
    if (bytes > maxBytes) {
      pieces = [];
      onOverflow();
      // other processes that write to it must not keep it open
      stream.destroy();
      return;
    }
    const text = decoder.write(chunk);
    pieces.push(text);
    onOutput?.(text);
  });
  return () => {
    pieces = [pieces.join('') + decoder.end()];
    return pieces[0] ?? '';
  };
}

/** Why a command failed, as the end of a sentence: `exited with 1: sbatch: error: …`; empty if it succeeded. */
export function describeFailure(result: CommandResult): string {
  switch (result.kind) {
    case 'exited': {
      if (result.exitCode === 0) return '';
      const output = result.stderr.trim() || result.stdout.trim();
      return `exited with ${result.exitCode}${output === '' ? '' : `: ${output.slice(0, 2_000)}`}`;
    }
    case 'missing':
      return `could not be started (${result.reason})`;
    case 'timeout':
      return `did not answer within ${Math.round(result.ms / 1000)} s`;
    case 'killed':
      return `was killed by ${result.signal}`;
    case 'overflow':
      return 'printed too much output';
    case 'aborted':
      return 'was canceled';
  }
}
