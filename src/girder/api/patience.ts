import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { backoffDelay } from '../../base/backoff.js';
import { GirderError } from './girder-error.js';

/** How long to retry failed requests. Only a definite answer from Girder itself fails at once. */
export interface Patience {
  /** When the tokens of the task have certainly expired, in milliseconds since the epoch. */
  tokenExpiresAt: number;
  /** For how many milliseconds to retry when the response does not come from Girder, such as a proxy's page. */
  nonGirderMs: number;
  /** The same for an internal error of Girder (500); default: `nonGirderMs`. */
  serverErrorMs?: number;
  /** Why requests fail at present; null once Girder has answered again. */
  onProblem?: (problem: string | null) => void;
  /** Wraps each pause, so that the caller can release its slot meanwhile. */
  runWait?: (wait: () => Promise<void>) => Promise<void>;
}

/** Maximum number of attempts without {@link Patience}. */
const defaultAttempts = 6;

/** How long to retry after the tokens have expired, in milliseconds: long enough to get Girder's own refusal. */
const afterExpiryMs = 10 * 60_000;
/** Longest pause, in milliseconds, before retrying a server that is not Girder. */
const maxNonGirderPause = 10 * 60_000;

/** The attempts at one request or one transfer. */
export interface Retries {
  /**
   * Waits before the next attempt, longer after each consecutive failure. Returns early if the signal aborts.
   * @throws `error` if a retry would not help, or if the time for retries is over
   */
  wait(error: unknown): Promise<void>;
  /** An attempt made progress: failures are counted from zero again. */
  reset(): void;
}

interface RetriesOptions {
  /** Undefined: make only a few attempts. */
  patience: Patience | undefined;
  /** Maximum number of attempts if `patience` is undefined. */
  attempts?: number;
  /** Whether the request modifies something: without `patience`, it is not repeated after a 500. */
  isChange: boolean;
  clock: Clock;
  log: Log;
  signal: AbortSignal | undefined;
}

export function createRetries(options: RetriesOptions): Retries {
  const { patience, attempts = defaultAttempts, isChange, clock, log, signal } = options;
  let failures = 0;
  let since = 0;
  let isReported = false;

  function isWorthWaiting(error: GirderError): boolean {
    if (patience !== undefined) {
      return clock.monotonic() - since < maxWaitMs(error, patience, clock.now());
    }
    return failures < attempts && error.transient && !(isChange && error.status === 500);
  }

  function reset(): void {
    if (isReported) patience?.onProblem?.(null);
    if (isReported && failures > 1) log.info('Girder answers again');
    isReported = false;
    failures = 0;
  }

  return {
    async wait(error) {
      if (!(error instanceof GirderError) || signal?.aborted === true) throw error;
      failures += 1;
      if (failures === 1) since = clock.monotonic();
      if (!isWorthWaiting(error)) {
        if (isReported) patience?.onProblem?.(null);
        throw error;
      }
      if (patience !== undefined) {
        isReported = true;
        patience.onProblem?.(errorLine(error));
        // a single failure is normal, such as an idle connection that Girder closed
        if (failures === 2) log.warn({ error: error.message }, 'Girder does not answer; retrying');
      }
      log.debug({ error: error.message, failures }, 'retrying a request to Girder');
      const pause = async (): Promise<void> => clock.sleep(pauseAfter(failures, error), signal);
      await (patience?.runWait ?? directly)(pause);
    },
    reset,
  };
}

const directly = async (wait: () => Promise<void>): Promise<void> => wait();

/** For how many milliseconds an error is worth retrying. */
export function maxWaitMs(error: GirderError, patience: Patience, now: number): number {
  const { tokenExpiresAt, nonGirderMs, serverErrorMs = nonGirderMs } = patience;
  const limit =
    error.kind === 'not-girder'
      ? nonGirderMs
      : error.status === 500
        ? serverErrorMs
        : error.transient
          ? Infinity
          : 0;
  return now > tokenExpiresAt ? Math.min(limit, afterExpiryMs) : limit;
}

/** Milliseconds to wait after the `failures`-th consecutive failure; at least what `Retry-After` asked for. */
export function pauseAfter(failures: number, error: GirderError): number {
  return backoffDelay(failures - 1, {
    initialMs: 1_000,
    maxMs: error.transient ? 60_000 : maxNonGirderPause,
    minMs: (error.retryAfter ?? 0) * 1_000,
  });
}
