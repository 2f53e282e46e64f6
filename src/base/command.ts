import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

import { execa } from 'execa';
import PQueue from 'p-queue';

import { maskArguments } from './redact.js';

/** How a command went. What a command could not tell is data here, never an exception and never an empty answer. */
export type CommandResult =
  | { kind: 'exited'; exitCode: number; stdout: string; stderr: string; ms: number }
  /** not found, or not executable */
  | { kind: 'missing'; reason: string; ms: number }
  | { kind: 'timeout'; ms: number }
  | { kind: 'killed'; signal: string; stderr: string; ms: number }
  /** printed more than `maxBytes` */
  | { kind: 'overflow'; ms: number }
  /** the caller's signal aborted it */
  | { kind: 'aborted'; ms: number };

export interface CommandOptions {
  /** Milliseconds; the command is then sent SIGTERM, and SIGKILL 2 s later. Default: the runner's. */
  timeoutMs?: number;
  /** Written to standard input, which is otherwise empty. */
  input?: string;
  cwd?: string;
  /** Added to the runner's environment; `undefined` removes a name. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Bytes that each of the two streams may have; a command that prints more is ended. Default 64 MiB. */
  maxBytes?: number;
  /** Told of what the command says, on either stream, while it runs. */
  onOutput?: (text: string) => void;
  signal?: AbortSignal;
}

/** Runs one program with an argument vector. There is no shell anywhere behind this. */
export type RunCommand = (
  file: string,
  args: readonly string[],
  options?: CommandOptions,
) => Promise<CommandResult>;

/** A command that is about to be started. Arguments are already free of secrets. */
export interface StartedCommand {
  at: number;
  file: string;
  args: readonly string[];
}

/** One finished command, for the audit log and the console; `at` is when it ended. */
export interface CommandRecord extends StartedCommand {
  result: CommandResult;
}

export interface RunnerOptions {
  /** The whole environment of every command. `LC_ALL=C.UTF-8` is added so that answers are not translated. */
  env: Readonly<Record<string, string | undefined>>;
  /** How long a command may take that is given no time of its own, in milliseconds. Default 30,000. */
  timeoutMs?: number;
  /** Commands alive at one time; further ones wait. Default 8. */
  concurrency?: number;
  /** Each command has a session of its own: Ctrl-C in our terminal, and its end, are for us and not for a command in flight. */
  ownSession?: boolean;
  /** Told of every command when its turn has come. */
  onStart?: (command: StartedCommand) => void;
  /** Told of every command after it ended. */
  onCommand?: (record: CommandRecord) => void;
}

/** A {@link RunCommand} over real processes. */
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
 * Between fork and exec Node stands still: a working directory, a program or a directory of `PATH` on a file system that
 * hangs would hold the whole process. So coreutils' env is what is started, and goes and looks for the rest.
 */
const starter = '/usr/bin/env';

function starterArguments(file: string, args: readonly string[], cwd: string | undefined): string[] {
  return [...(cwd === undefined ? [] : [`--chdir=${cwd}`]), file, ...args];
}

/**
 * Why env could not start the program; null if it did. Until coreutils 9.9 env calls itself by the path it was started
 * with, from 9.10 on only "env". A program of its own accord may write such a line too (a script whose interpreter is
 * missing), so the name that env complains of has to be the one that it was given.
 * @param file what env was to start
 * @returns a system error code, or env's own words
 */
export function reasonNotStarted(file: string, exitCode: number, stderr: string): string | null {
  if (exitCode < 125 || exitCode > 127) return null;
  const message = /^(?:\/usr\/bin\/)?env: (.*)/.exec(stderr)?.[1];
  if (message === undefined) return null;
  const isOurs =
    exitCode === 125
      ? /^(?:cannot change directory to|unrecognized option '--chdir)/.test(message)
      : message.startsWith(`${asEnvQuotes(file)}: `);
  if (!isOurs) return null;
  if (message.endsWith('No such file or directory')) return 'ENOENT';
  return message.endsWith('Permission denied') ? 'EACCES' : message;
}

/** GNU's quotation marks of the C.UTF-8 locale, in which every command is run. */
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
  const running = execa(starter, starterArguments(file, args, options.cwd), {
    reject: false,
    extendEnv: false,
    env,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    detached: options.ownSession,
    forceKillAfterDelay: 2_000,
    // execa would put both streams and all of both into one message as well: many times the output in memory
    buffer: false,
  });
  const ending = endTreeAfter(options.timeoutMs, running.pid, options.signal);
  const maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  let isTooMuch = false;
  const collect = (stream: Readable): (() => string) =>
    collectText(stream, maxBytes, options.onOutput, () => {
      isTooMuch = true;
      if (running.pid !== undefined) kill(descendants(running.pid), 'SIGKILL');
    });
  const [stdout, stderr] = [collect(running.stdout), collect(running.stderr)];
  const result = await running;
  const isTimedOut = ending.stop();
  const ms = Math.round(performance.now() - started);
  if (isTimedOut) return { kind: 'timeout', ms };
  if (result.isCanceled) return { kind: 'aborted', ms };
  if (isTooMuch) return { kind: 'overflow', ms };
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
 * Ends a command and all that it has started when its time is up, or when it is aborted: a wrapper script that is sent a
 * signal alone leaves the program that it waits for, which goes on and holds our pipes.
 */
function endTreeAfter(
  ms: number,
  pid: number | undefined,
  signal: AbortSignal | undefined,
): { stop(): boolean } {
  let isTimedOut = false;
  let hard: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (pid === undefined) return;
    const tree = descendants(pid);
    kill(tree, 'SIGTERM');
    hard = setTimeout(() => kill([...new Set([...tree, ...descendants(pid)])], 'SIGKILL'), 2_000);
  };
  const timer = setTimeout(() => {
    isTimedOut = true;
    end();
  }, ms);
  signal?.addEventListener('abort', end, { once: true });
  return {
    stop() {
      clearTimeout(timer);
      clearTimeout(hard);
      signal?.removeEventListener('abort', end);
      return isTimedOut;
    },
  };
}

/** A process and its children's children, from /proc. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // after the name in parentheses, which may hold anything: state, parent
      const parent = Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // it has ended
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
      // it has ended
    }
  }
}

/**
 * Collects what a stream says, as text: never more than `maxBytes`, and never more than twice that in memory, because
 * the bytes of a chunk are let go of once they are read.
 * @returns the text so far
 */
function collectText(
  stream: Readable,
  maxBytes: number,
  onOutput: CommandOptions['onOutput'],
  onTooMuch: () => void,
): () => string {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes > maxBytes) return;
    bytes += chunk.length;
    if (bytes > maxBytes) {
      pieces = [];
      onTooMuch();
      // whatever else writes to it must not keep it open
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

/** What went wrong, as the end of a sentence: `exited with 1: sbatch: error: …`; empty when nothing did. */
export function describeFailure(result: CommandResult): string {
  switch (result.kind) {
    case 'exited': {
      if (result.exitCode === 0) return '';
      const said = result.stderr.trim() || result.stdout.trim();
      return `exited with ${result.exitCode}${said === '' ? '' : `: ${said.slice(0, 2_000)}`}`;
    }
    case 'missing':
      return `could not be started (${result.reason})`;
    case 'timeout':
      return `gave no answer within ${Math.round(result.ms / 1000)} s`;
    case 'killed':
      return `was ended by ${result.signal}`;
    case 'overflow':
      return 'printed far more than it should';
    case 'aborted':
      return 'was stopped';
  }
}
