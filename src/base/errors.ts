/**
 * The one family of errors that reaches an operator: a code for scripts, a sentence for people, and what to do next.
 * Anything else that is thrown is a defect of ours and is reported as such.
 */
export type ErrorCode =
  /** flags, arguments or answers that make no sense */
  | 'usage'
  /** the configuration cannot be used */
  | 'config'
  /** a file or directory is missing, unreadable, unwritable or full */
  | 'files'
  /** RabbitMQ */
  | 'broker'
  /** a Celery message that is refused */
  | 'message'
  /** Girder's REST API */
  | 'girder'
  /** Slurm's commands */
  | 'slurm'
  /** images and the container runtime */
  | 'image'
  /** another worker, or this one's own state */
  | 'worker'
  /** what was named is not there */
  | 'unknown'
  /** another process holds what is needed */
  | 'busy'
  /** the practice site */
  | 'sandbox';

export interface DsaSlurmErrorOptions {
  /** What the reader can do about it, as one sentence or one command. */
  next?: string;
  cause?: unknown;
}

/**
 * An error whose message is written for the operator, or for the owner of a slide.
 * `message` says what happened and to what; `next` says what to do. Neither ever holds a secret.
 */
export class DsaSlurmError extends Error {
  override readonly name = 'DsaSlurmError';
  readonly code: ErrorCode;
  readonly next: string | undefined;

  constructor(code: ErrorCode, message: string, options: DsaSlurmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
  }
}

/** Whatever was thrown, as an Error. */
export function coerceError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** One line about whatever was thrown, without a stack: `<what happened> <what to do>`. */
export function errorLine(thrown: unknown): string {
  const error = coerceError(thrown);
  const next = error instanceof DsaSlurmError ? error.next : undefined;
  return next === undefined ? error.message : `${error.message} ${next}`;
}

/** Node's own code of a system error (`ENOENT`, `EACCES`, …), if it has one. */
export function systemCode(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
