import { DsaSlurmError, errorLine } from '../../base/errors.js';
import type { GirderJobRef } from '../protocol/analysis.js';
import type { GirderSetup } from '../api/client.js';
import type { ConnectionOptions } from '../api/connections.js';
import type { JobDocument } from '../api/documents.js';
import { createGirderJobClient, isCanceled } from './job-client.js';
import { createReportQueue, type JobProgress } from './report-queue.js';
import type { LogMark, LogMarks } from './log-buffer.js';
import type { PendingLogChunk } from './log-chunk.js';
import type { ReportLimits } from './report-limits.js';
import { isFinal, jobStatus, pathTo } from './transitions.js';

export type FinalOutcome = 'succeeded' | 'failed' | 'canceled';

/** The status that the Girder job has while its analysis waits in Slurm. */
export type InitialStatus = 'queued' | 'running';

export interface GirderJobOptions extends GirderSetup {
  limits: ReportLimits;
  /** Connection options that the publisher set for job updates; see `openSession`. */
  connection?: ConnectionOptions;
  /** When the Girder job's own token has certainly expired, in milliseconds since the epoch. */
  tokenExpiresAt: number;
  /**
   * When the task was accepted, in milliseconds since the epoch. Soon afterwards the worker checks that Girder has kept the
   * reports; see {@link lateSaveCheckMs}. If absent, it does not check.
   */
  acceptedAt?: number;
  /**
   * Whether nothing was reported for this task before, so that the log in Girder is empty: the job need not be read before its
   * first status is set.
   */
  isNew?: boolean;
  /** For how many milliseconds `finish` retries when the response does not come from Girder. */
  finishPatienceMs: number;
  /** Called once when Girder reports the job as canceling or canceled, but not during `finish`. */
  onCancel?: () => void;
  /** Called once when Girder reports that the job no longer exists, but not during `finish`. */
  onGone?: () => void;
  /** Awaited before log text up to these marks is sent. */
  onSending?: (marks: LogMarks, chunk: PendingLogChunk) => Promise<void>;
  /** Called when all log text up to these marks is in Girder. */
  onSent?: (marks: LogMarks) => void;
  /** Why Girder cannot be updated at the moment; null once it can again. */
  onProblem?: (problem: string | null) => void;
}

/** The Girder job of a run, which its user watches. A `signal` aborts the waits and requests of its call. */
export interface GirderJob {
  /**
   * Sets RUNNING or QUEUED through allowed transitions; a job that is already past that keeps its status. Waits while Girder
   * cannot be reached.
   * @returns `canceled` if the job was canceled meanwhile and must not run; `over` if it is already SUCCESS or ERROR
   * @throws GirderError when Girder's refusal is final
   */
  begin(as: InitialStatus, signal?: AbortSignal): Promise<'go' | 'canceled' | 'over'>;
  /**
   * Sets RUNNING in the background, if it is not set yet, because the analysis has started. Failures are only logged:
   * `finish` sets every status that is missing.
   */
  started(): void;
  /** Queues log text. `mark` is passed to `onSent` once the text is in Girder. */
  log(text: string, mark?: LogMark): void;
  /** Queues the fields that changed. */
  progress(progress: JobProgress): void;
  /**
   * Resolves once there is room for more log text. Without waiting for it, the oldest text is dropped when Girder is slow,
   * and the log says how much is missing.
   */
  waitForRoom(signal?: AbortSignal): Promise<void>;
  /** Resolves when all reports are sent, when Girder rejects further ones, or on abort. */
  flush(signal?: AbortSignal): Promise<void>;
  /**
   * Flushes and sets the final status through allowed transitions, with the last report where one request can do both.
   * Resolves with the status that the Girder job has afterwards: a job being canceled ends as CANCELED instead of SUCCESS, and one that was final keeps its status.
   * @throws GirderError when Girder refuses permanently (401, 403, 404), when something other than Girder answers for longer
   * than `finishPatienceMs`, when Girder was unreachable until the token expired, or on abort
   */
  finish(outcome: FinalOutcome, signal?: AbortSignal): Promise<number>;
  /**
   * If the task was accepted only moments ago, checks that Girder still has what {@link finish} reported, and reports it
   * again if not. Resolves after the first check; a second one follows in the background unless `signal` aborts.
   */
  verifyOutcome(outcome: FinalOutcome, signal: AbortSignal): Promise<void>;
  read(signal?: AbortSignal): Promise<JobDocument>;
  /** The last document that Girder returned; null before the first one. */
  lastSeen(): JobDocument | null;
  /** Stops reporting after the last check of {@link verifyOutcome} and discards what was not sent. */
  close(): void;
}

/** How long to retry when something other than Girder answers, such as a maintenance page. `finish` waits longer. */
const nonGirderMs = 60 * 60_000;
/**
 * When to check that Girder has kept the reports, in milliseconds after the task was accepted. slicer_cli_web (1.5.14 to
 * 5.0.21) loads the job after publishing its task and then saves the whole document. This overwrites the RUNNING that a fast
 * worker has set meanwhile, and a batch waits for RUNNING forever. Girder's responses do not reveal it, because they show the
 * document as it was loaded. Such saves were observed 0.2 to 0.5 s after publishing.
 */
export const lateSaveCheckMs = [1_500, 10_000] as const;
/** For how many milliseconds a check waits for the first report, whose answer shows the status as well. */
const firstReportMs = 1_000;
/** How often to poll a job that has not started, in milliseconds. */
const pollWaitingMs = 5 * 60_000;
/** Time limit of a check after the run has ended, in milliseconds. */
const verifyMs = 60_000;
/** Attempts at setting a status that someone else keeps changing. */
const maxStatusAttempts = 10;

/** Reports to one Girder job. Nothing is sent before the first call. */
export function createGirderJob(ref: GirderJobRef, options: GirderJobOptions): GirderJob {
  const { limits, clock, onSending, onSent } = options;
  const log = options.log.child({ girderJob: ref.id });
  const closing = new AbortController();
  const closed = closing.signal;
  let finishing = false;
  /** Aborts when the run ends, or with `closing`. */
  const ending = new AbortController();
  let starting: Promise<void> | null = null;
  let secondCheck: Promise<void> | null = null;
  let initialStatus: InitialStatus = 'queued';
  const polling = new AbortController();
  const client = createGirderJobClient(ref, {
    ...options,
    log,
    onCancel: () => {
      if (!finishing) options.onCancel?.();
    },
    onGone: () => {
      if (!finishing) options.onGone?.();
    },
  });
  const queue = createReportQueue({
    reportMs: limits.reportMs,
    send: async (form) => client.updateUntilAnswered(closed, nonGirderMs, form),
    read: async () => client.updateUntilAnswered(closed, nonGirderMs),
    onSending,
    onSent,
    logLength: client.logLength,
    clock,
    log,
    closed,
  });
  const orClosed = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closed : AbortSignal.any([closed, signal]);

  function endChecks(): void {
    ending.abort();
    polling.abort();
  }

  /** Sets a status step by step, sending only transitions that Girder allows from the last status seen. */
  async function advanceTo(
    as: InitialStatus,
    stop: AbortSignal,
    seen: JobDocument | null = null,
  ): Promise<JobDocument> {
    let at = seen ?? (await client.updateUntilAnswered(stop, nonGirderMs));
    if (client.logLength() !== null) queue.setInitialLog(at);
    for (let attempt = 0; attempt < maxStatusAttempts; attempt += 1) {
      if (isCanceled(at) || isFinal(at.status)) return at;
      const [step] = pathTo(at.handler, at.status, jobStatus[as]) ?? [];
      // already there, or past it with no way back
      if (step === undefined) return at;
      at = await client.setStatus(step, stop, nonGirderMs);
    }
    throw statusConflict(ref);
  }

  /** Sleeps until `ms` after the task was accepted; false if that time has passed. */
  async function sleepUntilAfterAcceptance(ms: number, stop: AbortSignal): Promise<boolean> {
    const { acceptedAt } = options;
    const left = acceptedAt === undefined ? 0 : acceptedAt + ms - clock.now();
    // a clock that was set back must not prolong the wait
    if (left <= 0 || left > ms) return false;
    await clock.sleep(left, stop);
    return !stop.aborted;
  }

  /** Repeats reports that a late save has overwritten. */
  async function repairLateSave(): Promise<void> {
    const stop = ending.signal;
    for (const ms of lateSaveCheckMs) {
      if (!(await sleepUntilAfterAcceptance(ms, stop))) continue;
      const isAnswered = await queue.firstReport(firstReportMs, stop);
      const seen = isAnswered ? client.lastSeen() : await queue.verify();
      if (!stop.aborted) await advanceTo(initialStatus, stop, seen);
    }
    // a run that waits in Slurm reports nothing, so without polling it would notice neither a cancel nor the job's deletion
    while (!polling.signal.aborted && options.acceptedAt !== undefined) {
      await clock.sleep(pollWaitingMs, polling.signal);
      if (!polling.signal.aborted) await advanceTo(initialStatus, stop);
    }
  }

  /** The final status, if it can be set from the last status seen at once. */
  function statusToEndWith(outcome: FinalOutcome): number | null {
    const at = client.lastSeen();
    const [status, ...more] = at === null || isFinal(at.status) ? [] : pathToEnd(at, outcome);
    return status === undefined || more.length > 0 ? null : status;
  }

  async function advanceToEnd(outcome: FinalOutcome, stop: AbortSignal, patience: number): Promise<number> {
    let at = client.lastSeen() ?? (await client.updateUntilAnswered(stop, patience));
    for (let attempt = 0; attempt < maxStatusAttempts; attempt += 1) {
      if (isFinal(at.status)) return at.status;
      const [step] = pathToEnd(at, outcome);
      if (step === undefined) break;
      at = await client.setStatus(step, stop, patience);
    }
    throw statusConflict(ref);
  }

  async function verifyAfter(ms: number, outcome: FinalOutcome, signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([closed, signal]);
    if (!(await sleepUntilAfterAcceptance(ms, stop))) return;
    const over = new AbortController();
    const inTime = AbortSignal.any([stop, over.signal]);
    const timer = clock.sleep(verifyMs, inTime).then(() => over.abort());
    try {
      void queue.verify();
      await queue.flush(inTime);
      await advanceToEnd(outcome, inTime, 0);
    } catch (error) {
      log.debug({ error: errorLine(error) }, 'could not verify that Girder kept the final status');
    } finally {
      over.abort();
      await timer;
    }
  }

  return {
    log: (text, mark) => queue.log(text, mark),
    progress: (progress) => queue.progress(progress),
    waitForRoom: async (signal) => queue.waitForRoom(orClosed(signal)),
    flush: async (signal) => queue.flush(orClosed(signal)),
    read: async (signal) => client.updateUntilAnswered(orClosed(signal), nonGirderMs),
    lastSeen: client.lastSeen,
    async begin(as, signal) {
      initialStatus = as;
      const stop = orClosed(signal);
      const first = options.isNew === true ? await client.setStatus(jobStatus[as], stop, nonGirderMs) : null;
      const at = await advanceTo(as, stop, first);
      queue.startInterval();
      if (isCanceled(at)) return 'canceled';
      if (isFinal(at.status)) return 'over';
      repairLateSave().catch((error: unknown) =>
        log.debug({ error: errorLine(error) }, 'could not verify that Girder kept the initial status'),
      );
      return 'go';
    },
    started() {
      initialStatus = 'running';
      polling.abort();
      if (finishing || client.lastSeen()?.status === jobStatus.running) return;
      starting ??= advanceTo('running', ending.signal)
        .then(() => undefined)
        .catch((error: unknown) =>
          log.debug({ error: errorLine(error) }, 'could not set the Girder job to RUNNING'),
        )
        .finally(() => {
          starting = null;
        });
    },
    async finish(outcome, signal) {
      const stop = orClosed(signal);
      finishing = true;
      // one request at a time, so that the last status seen is current
      endChecks();
      await starting;
      await queue.flush(stop, statusToEndWith(outcome));
      const seen = client.lastSeen();
      if (seen !== null && !isFinal(seen.status) && statusToEndWith(outcome) === null) {
        // the status went back: a late save, which has deleted the log as well
        void queue.verify();
        await queue.flush(stop, statusToEndWith(outcome));
      }
      const refused = queue.rejection();
      if (refused !== null) throw refused;
      return advanceToEnd(outcome, stop, options.finishPatienceMs);
    },
    async verifyOutcome(outcome, signal) {
      const [first, second] = lateSaveCheckMs;
      await verifyAfter(first, outcome, signal);
      secondCheck = verifyAfter(second, outcome, signal);
    },
    close() {
      endChecks();
      if (secondCheck === null) closing.abort();
      else void secondCheck.finally(() => closing.abort());
    },
  };
}

/** For a task without a Girder job: every call succeeds and does nothing. */
export function silentGirderJob(): GirderJob {
  return {
    begin: async () => 'go',
    started: nothing,
    log: nothing,
    progress: nothing,
    waitForRoom: async () => undefined,
    flush: async () => undefined,
    finish: async (outcome) => finalStatus(outcome),
    verifyOutcome: async () => undefined,
    read: async () => ({ status: jobStatus.running, handler: '' }),
    lastSeen: () => null,
    close: nothing,
  };
}

function nothing(): void {
  // no Girder job to report to
}

/** The statuses to set from here. If the outcome cannot be reached, ERROR at least closes the job. */
function pathToEnd(at: JobDocument, outcome: FinalOutcome): number[] {
  const status = finalStatus(outcome);
  const isCanceling = at.status === jobStatus.canceling;
  const target = status === jobStatus.success && isCanceling ? jobStatus.canceled : status;
  return pathTo(at.handler, at.status, target) ?? pathTo(at.handler, at.status, jobStatus.error) ?? [];
}

function finalStatus(outcome: FinalOutcome): number {
  const { success, error, canceled } = jobStatus;
  return { succeeded: success, failed: error, canceled }[outcome];
}

function statusConflict(ref: GirderJobRef): DsaSlurmError {
  return new DsaSlurmError('girder', `The status of Girder job ${ref.id} could not be set.`, {
    next: 'Something else keeps changing it: check the job in Girder.',
  });
}
