import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { backoff } from './backoff.js';
import { GirderError } from './girder-error.js';

/** How long trouble with Girder is waited out. Only what Girder itself says for good is final at once. */
export interface Patience {
  /** Milliseconds since the epoch after which the tokens of the task have surely expired. */
  tokenExpiresAt: number;
  /** For so many milliseconds an answer that is not Girder's, such as a proxy's page, is waited out. */
  nonGirderMs: number;
  /** The same for a fault inside Girder (500); default: as `nonGirderMs`. */
  serverErrorMs?: number;
  /** Why Girder cannot be asked at present; null once it has answered again. */
  onProblem?: (trouble: string | null) => void;
  /** Runs each wait: whoever waits gives a place back meanwhile. */
  runWait?: (wait: () => Promise<void>) => Promise<void>;
}

/** Without patience: tries at most. */
export const defaultAttempts = 6;

/** Once the tokens are gone, waiting only helps against trouble that hides that answer, for so many milliseconds. */
const hopelessMs = 10 * 60_000;
/** Longest pause, in milliseconds, before a server is asked again that is not Girder: nobody there has to answer. */
const longestStrangePause = 10 * 60_000;

/** The attempts at one request, or at one transfer. */
export interface Retries {
  /**
   * Waits before the next attempt, longer after each failure in a row.
   * @throws `error` if waiting would not help, or has taken long enough; nothing if the signal aborts
   */
  wait(error: unknown): Promise<void>;
  /** An attempt has brought something: the count begins anew. */
  reset(): void;
}

export interface RetriesOptions {
  /** Undefined: a few attempts against short trouble. */
  patience: Patience | undefined;
  /** Tries at most, if there is no patience. */
  attempts?: number;
  /** A plain 500 is a fault inside Girder: without patience it is not asked for a change a second time. */
  isChange: boolean;
  clock: Clock;
  log: Log;
  signal: AbortSignal | undefined;
}

export function createRetries(options: RetriesOptions): Retries {
  const { patience, attempts = defaultAttempts, isChange, clock, log, signal } = options;
  let failures = 0;
  let since = 0;
  let isTold = false;

  function isWorthWaiting(error: GirderError): boolean {
    if (patience !== undefined) {
      return clock.monotonic() - since < maxWaitMs(error, patience, clock.now());
    }
    return failures < attempts && error.transient && !(isChange && error.status === 500);
  }

  function over(): void {
    if (isTold) patience?.onProblem?.(null);
    if (isTold && failures > 1) log.info('Girder answers again');
    isTold = false;
    failures = 0;
  }

  return {
    async wait(error) {
      if (!(error instanceof GirderError) || signal?.aborted === true) throw error;
      failures += 1;
      if (failures === 1) since = clock.monotonic();
      if (!isWorthWaiting(error)) {
        if (isTold) patience?.onProblem?.(null);
        throw error;
      }
      if (patience !== undefined) {
        isTold = true;
        patience.onProblem?.(errorLine(error));
        // a single one is nothing: a connection that Girder closed because it was idle, say
        if (failures === 2) log.warn({ why: error.message }, 'Girder cannot be asked; it is waited for');
      }
      log.debug({ girder: error.message, failures }, 'Girder is asked again');
      const pause = async (): Promise<void> => clock.sleep(pauseAfter(failures, error), signal);
      await (patience?.runWait ?? directly)(pause);
    },
    reset: over,
  };
}

const directly = async (wait: () => Promise<void>): Promise<void> => wait();

/** For so many milliseconds this error is worth waiting. */
export function maxWaitMs(error: GirderError, patience: Patience, now: number): number {
  const { tokenExpiresAt, nonGirderMs, serverErrorMs = nonGirderMs } = patience;
  const most =
    error.kind === 'not-girder'
      ? nonGirderMs
      : error.status === 500
        ? serverErrorMs
        : error.transient
          ? Infinity
          : 0;
  return now > tokenExpiresAt ? Math.min(most, hopelessMs) : most;
}

/** Milliseconds to wait after the `failures`-th failure in a row. */
export function pauseAfter(failures: number, error: GirderError): number {
  return backoff(failures, error.retryAfter, error.transient ? undefined : longestStrangePause);
}
