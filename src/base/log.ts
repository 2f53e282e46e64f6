import { pino, type Logger } from 'pino';

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

/** A JSON-lines logger that writes synchronously, so that nothing is lost at exit and nothing tears a screen. */
export function createLog({ level, destination }: LogOptions): Log {
  return pino(
    {
      level,
      base: null,
      redact: { paths: secretPaths, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ dest: destination, sync: true, mode: 0o600 }),
  );
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
