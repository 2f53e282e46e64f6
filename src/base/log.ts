import { pino, type Logger } from 'pino';

import { escapeUnprintable } from './printable-json.js';
import { createRing, type Ring } from './ring.js';

/** Structured log. `log.info({ run: id, job: '123' }, 'submitted')`: facts first, then a short phrase. */
export type Log = Logger;

export interface LogOptions {
  level: string;
  /** A file path in a directory that is there, or `1`/`2` for standard output and error. */
  destination: string | 1 | 2;
}

/** Names under which a secret could ever be logged; their values are replaced. */
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

/** A warning or an error of the log. */
export interface LoggedProblem {
  at: number;
  level: 'warn' | 'error' | 'fatal';
  /** The phrase, and the reason where the line gives one. */
  text: string;
  /** The run that it is about. */
  run: string | null;
}

const troublesKept = 100;
/** Where a logger keeps its last troubles; loggers made by `child` share it. */
const troubles = Symbol('troubles');

/** The last warnings and errors that a logger of {@link createLog}, or a child of it, has written; oldest first. */
export function recentProblems(log: Log): readonly LoggedProblem[] {
  return (log as { [troubles]?: Ring<LoggedProblem> })[troubles]?.items() ?? [];
}

/** A line as it was written, secrets already out of it. */
function readTrouble(line: string): LoggedProblem | null {
  // the level stands first in every line of pino; most lines are not worth parsing
  const level = /^\{"level":(\d+)/.exec(line)?.[1];
  if (level === undefined || Number(level) < 40) return null;
  const { time, msg, run, reason, why, trouble, err } = JSON.parse(line) as Partial<Record<string, unknown>>;
  const reasons: unknown[] = [reason, why, trouble, (err as { message?: unknown } | undefined)?.message];
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

/** A JSON-lines logger that writes synchronously, so that nothing is lost at exit and nothing tears a screen. */
export function createLog({ level, destination }: LogOptions): Log {
  const ring = createRing<LoggedProblem>(troublesKept);
  const log = pino(
    {
      level,
      base: null,
      redact: { paths: secretPaths, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        streamWrite(line) {
          const trouble = readTrouble(line);
          if (trouble !== null) ring.push(trouble);
          return escapeUnprintable(line);
        },
      },
    },
    pino.destination({ dest: destination, sync: true, mode: 0o600 }),
  );
  return Object.assign(log, { [troubles]: ring });
}

/** A log that goes nowhere, for tests and for commands that have nothing to log. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}

/** `amqp://user:***@host/vhost`: a URL that may be shown. A text that is no URL is hidden whole. */
export function maskUrl(text: string): string {
  try {
    const url = new URL(text);
    if (url.password !== '') url.password = '***';
    return url.href.replaceAll('%2A', '*');
  } catch {
    return '***';
  }
}
