/**
 * Codes of the errors that are meant for operators. Any other error is a bug and is reported as one.
 */
type ErrorCode =
  /** invalid flags, arguments or answers */
  | 'usage'
  /** invalid configuration */
  | 'config'
  /** a file or directory is missing, unreadable, unwritable or full */
  | 'files'
  /** RabbitMQ */
  | 'broker'
  /** a Celery message that was refused */
  | 'message'
  /** Girder's REST API */
  | 'girder'
  /** Slurm's commands */
  | 'slurm'
  /** container images and the container runtime */
  | 'image'
  /** another worker, or the state of this one */
  | 'worker'
  /** the named thing does not exist */
  | 'unknown'
  /** another process holds a required resource */
  | 'busy'
  /** the sandbox */
  | 'sandbox';

interface DsaSlurmErrorOptions {
  /** What to do about it, as one sentence or one command. */
  next?: string;
  cause?: unknown;
}

/**
 * An error whose message is written for the operator, or for the owner of a slide. `message` says what happened, `next` what
 * to do. Neither contains a secret.
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

/** Converts a thrown value to an Error. */
export function coerceError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** One line about a thrown value, without a stack: `<what happened> <what to do>`. */
export function errorLine(thrown: unknown): string {
  const error = coerceError(thrown);
  const next = error instanceof DsaSlurmError ? error.next : undefined;
  return next === undefined ? error.message : `${error.message} ${next}`;
}

/** Node's code of a system error (`ENOENT`, `EACCES`, …), if it has one. */
export function systemCode(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
