import { pino, type Logger } from 'pino';

import { escapeUnprintable } from './text/printable-json.js';
import { masked } from './text/redact.js';
import { createRing, type Ring } from './ring.js';
import { openRotatingFile, type LogRotation } from './files/rotating-file.js';

/** Structured log, used as `log.info({ run: id, job: '123' }, 'submitted')`: data first, then a short message. */
export type Log = Logger;

interface LogOptions {
  level: string;
  /** A file path in an existing directory, or `1`/`2` for standard output and error. */
  destination: string | 1 | 2;
  /** For a file: when it is replaced by a new one, and how many old ones are kept, as `worker.log.1` and so on. */
  rotation?: LogRotation;
  /** Begin each line with its priority, `<4>`, for systemd's journal; see sd-daemon(3). */
  priorities?: boolean;
}

/** Keys that could hold a secret; their values are replaced. */
const secretPaths = [
  'token',
  '*.token',
  'password',
  '*.password',
  'headers',
  '*.headers',
  'body',
  '*.body',
  'url.password',
  'apiKey',
  '*.apiKey',
  '*["Girder-Token"]',
  '["Girder-Token"]',
];

/** A logged warning or error. */
export interface LoggedProblem {
  at: number;
  level: 'warn' | 'error' | 'fatal';
  /** The message, and the reason if the line has one. */
  text: string;
  /** Id of the run it is about. */
  run: string | null;
}

const keptProblems = 100;
/** Property of a logger that holds its recent problems; child loggers share it. */
const problems = Symbol('problems');

/** The last warnings and errors of a logger from {@link createLog} or of its children, oldest first. */
export function recentProblems(log: Log): readonly LoggedProblem[] {
  return (log as { [problems]?: Ring<LoggedProblem> })[problems]?.items() ?? [];
}

/** @param line a line of pino, already without secrets */
function readProblem(line: string): LoggedProblem | null {
  // pino writes the level first; most lines do not need to be parsed
  const level = /^\{"level":(\d+)/.exec(line)?.[1];
  if (level === undefined || Number(level) < 40) return null;
  const { time, msg, run, reason, why, problem, err } = JSON.parse(line) as Partial<Record<string, unknown>>;
  const reasons: unknown[] = [reason, why, problem, (err as { message?: unknown } | undefined)?.message];
  const text = [msg, reasons.find((each) => typeof each === 'string')];
  return {
    at: Date.parse(String(time)),
    level: Number(level) >= 60 ? 'fatal' : Number(level) >= 50 ? 'error' : 'warn',
    text: text
      .filter((each) => typeof each === 'string')
      .join(': ')
      .slice(0, 1_000),
    run: typeof run === 'string' ? run : null,
  };
}

/** Syslog's priority of a line of pino: 2 critical, 3 error, 4 warning, 6 informational, 7 debug. */
function priorityOf(line: string): number {
  const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30);
  if (level >= 60) return 2;
  if (level >= 50) return 3;
  if (level >= 40) return 4;
  return level >= 30 ? 6 : 7;
}

/** Creates a JSON-lines logger. It writes synchronously, so that nothing is lost at exit. */
export function createLog({ level, destination, rotation, priorities = false }: LogOptions): Log {
  const ring = createRing<LoggedProblem>(keptProblems);
  const log = pino(
    {
      level,
      base: null,
      redact: { paths: secretPaths, censor: masked },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        streamWrite(line) {
          const problem = readProblem(line);
          if (problem !== null) ring.push(problem);
          const text = escapeUnprintable(line);
          return priorities ? `<${priorityOf(line)}>${text}` : text;
        },
      },
    },
    typeof destination === 'string' && rotation !== undefined
      ? openRotatingFile(destination, rotation)
      : pino.destination({ dest: destination, sync: true, mode: 0o600 }),
  );
  return Object.assign(log, { [problems]: ring });
}

/** A logger that discards everything, for tests and for commands that do not log. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
