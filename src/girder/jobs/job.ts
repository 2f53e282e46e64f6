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

/** What the Girder job is to say while its analysis waits in Slurm. */
export type InitialStatus = 'queued' | 'running';

export interface GirderJobOptions extends GirderSetup {
  reporting: ReportLimits;
  /** How the session of the job's publisher is to connect; see `openSession`. */
  connection?: ConnectionOptions;
  /** After this moment, in milliseconds since the epoch, the Girder job's own token is surely gone. */
  tokenExpiresAt: number;
  /**
   * When the task was accepted, in milliseconds since the epoch. Girder is asked again soon after it whether it has kept
   * what it was told: see {@link lateSaveCheckMs}. Not set: it is not.
   */
  acceptedAt?: number;
  /** For so many milliseconds `finish` takes answers that are not Girder's for an accident. */
  finishPatienceMs: number;
  /** Girder says that the job is being canceled, or is: told once, and not during `finish`. */
  onCancel?: () => void;
  /** Girder says that there is no such job any more: told once, and not during `finish`. */
  onGone?: () => void;
  /** Log text up to these marks is about to be sent; sending waits for it. */
  onSending?: (marks: LogMarks, piece: PendingLogChunk) => Promise<void>;
  /** All log text up to these marks is in Girder. */
  onSent?: (marks: LogMarks) => void;
  /** Why Girder cannot be told at the moment; null once it can again. */
  onProblem?: (trouble: string | null) => void;
}

/** The Girder job of a run: what its user watches. Every `signal` ends the waiting and asking of its call. */
export interface GirderJob {
  /**
   * Says RUNNING or QUEUED by a legal way; a job that is further on stays as it is. `canceled`: someone was faster, do
   * not run; `over`: it is SUCCESS or ERROR already.
   * @throws GirderError when Girder refuses for good; waits as long as it cannot be reached.
   */
  begin(as: InitialStatus, signal?: AbortSignal): Promise<'go' | 'canceled' | 'over'>;
  /**
   * Says RUNNING, soon, if it does not say so yet: the analysis has started. Nobody waits for it: what Girder does not
   * hear of it is made up for by `finish`.
   */
  started(): void;
  /** Appends to the log, soon. `mark` comes back through `onSent`. */
  log(text: string, mark?: LogMark): void;
  /** What changed is sent, soon. */
  progress(progress: JobProgress): void;
  /**
   * Resolves once there is room for more log text. Who does not wait for it loses the oldest text when Girder is slow,
   * and the log says so.
   */
  waitForRoom(signal?: AbortSignal): Promise<void>;
  /** Resolves when nothing waits any more, when Girder will not hear of it any more, or at abort. */
  flush(signal?: AbortSignal): Promise<void>;
  /**
   * Flushes, and then sets the final status by a legal way. Resolves with the status that the Girder job has: a job that
   * is being canceled ends as CANCELED, not as SUCCESS, and one that was final stays as it is.
   * @throws GirderError when Girder refuses for good (401, 403, 404), when its address answers with something else for
   * longer than `finishPatienceMs`, when it was away until the token must have expired, or at abort.
   */
  finish(outcome: FinalOutcome, signal?: AbortSignal): Promise<number>;
  /**
   * Asks Girder, if the task was accepted only just now, whether it still has what {@link finish} has told it, and tells
   * it again if not. Resolves after the first question; a second one follows by itself, until `signal` aborts.
   */
  verifyOutcome(outcome: FinalOutcome, signal: AbortSignal): Promise<void>;
  read(signal?: AbortSignal): Promise<JobDocument>;
  /** What Girder said last of the job; null before the first answer. */
  lastSeen(): JobDocument | null;
  /** Stops reporting, after the last question of {@link verifyOutcome}; what was not sent yet is forgotten. */
  close(): void;
}

/** Milliseconds of answers that are not Girder's: a page that says maintenance, say. Only `finish` has more patience. */
const nonGirderMs = 60 * 60_000;
/**
 * So long after a task was accepted, in milliseconds, Girder is asked whether it has kept what it was told.
 * slicer_cli_web (1.5.14 to 5.0.21) loads the job after publishing its task and saves it whole, as it was then: a worker
 * that was faster has said RUNNING in vain, and a batch waits for that for ever. Answers do not tell, since Girder
 * answers with what it had loaded. Saves were seen 0.2 to 0.5 s after publishing.
 */
export const lateSaveCheckMs = [1_500, 10_000] as const;
/** How often Girder is asked about a job that has not started, in milliseconds. */
const askWaitingMs = 5 * 60_000;
/** So long such a question may take once the run is over. */
const confirmMs = 60_000;
/** Rounds of setting a status that someone else keeps changing. */
const rounds = 10;

/** Reports to one Girder job. Nothing is sent before the first call. */
export function createGirderJob(ref: GirderJobRef, options: GirderJobOptions): GirderJob {
  const { reporting, clock, onSending, onSent } = options;
  const log = options.log.child({ girderJob: ref.id });
  const closing = new AbortController();
  const closed = closing.signal;
  let finishing = false;
  const ending = new AbortController();
  let starting: Promise<void> | null = null;
  let lingering: Promise<void> | null = null;
  let begunAs: InitialStatus = 'queued';
  const hasStarted = new AbortController();
  const asking = createGirderJobClient(ref, {
    ...options,
    log,
    onCancel: () => {
      if (!finishing) options.onCancel?.();
    },
    onGone: () => {
      if (!finishing) options.onGone?.();
    },
  });
  const news = createReportQueue({
    reportMs: reporting.reportMs,
    send: async (form) => asking.updateUntilAnswered(closed, nonGirderMs, form),
    read: async () => asking.updateUntilAnswered(closed, nonGirderMs),
    onSending,
    onSent,
    logLength: asking.logLength,
    clock,
    log,
    closed,
  });
  const orClosed = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closed : AbortSignal.any([closed, signal]);

  /** Sets a status step by step. Only what Girder's rules allow from the status that it last told is ever sent. */
  async function bring(as: InitialStatus, stop: AbortSignal): Promise<JobDocument> {
    let at = await asking.updateUntilAnswered(stop, nonGirderMs);
    if (asking.logLength() !== null) news.setInitialLog(at);
    for (let round = 0; round < rounds; round += 1) {
      if (isCanceled(at) || isFinal(at.status)) return at;
      const [step] = pathTo(at.handler, at.status, jobStatus[as]) ?? [];
      // it is there, or further on, from where no way leads back
      if (step === undefined) return at;
      at = await asking.setStatus(step, stop, nonGirderMs);
    }
    throw statusFight(ref);
  }

  /** Sleeps until so long after the task was accepted; false if that was before now. */
  async function untilAfterAcceptance(ms: number, stop: AbortSignal): Promise<boolean> {
    const { acceptedAt } = options;
    const left = acceptedAt === undefined ? 0 : acceptedAt + ms - clock.now();
    // a clock that was set back must not make this wait
    if (left <= 0 || left > ms) return false;
    await clock.sleep(left, stop);
    return !stop.aborted;
  }

  /** Tells Girder again what a late save has overwritten. */
  async function remind(): Promise<void> {
    const stop = AbortSignal.any([closed, ending.signal]);
    for (const ms of lateSaveCheckMs) {
      if (!(await untilAfterAcceptance(ms, stop))) continue;
      news.verify();
      await bring(begunAs, stop);
    }
    // one that waits in Slurm has nothing to report, and would hear neither of a cancel nor of its deletion
    const waiting = AbortSignal.any([stop, hasStarted.signal]);
    while (!waiting.aborted && options.acceptedAt !== undefined) {
      await clock.sleep(askWaitingMs, waiting);
      if (!waiting.aborted) await bring(begunAs, stop);
    }
  }

  async function bringToEnd(outcome: FinalOutcome, stop: AbortSignal, patience: number): Promise<number> {
    let at = asking.lastSeen() ?? (await asking.updateUntilAnswered(stop, patience));
    for (let round = 0; round < rounds; round += 1) {
      if (isFinal(at.status)) return at.status;
      const [step] = wayToEnd(at, outcome);
      if (step === undefined) break;
      at = await asking.setStatus(step, stop, patience);
    }
    throw statusFight(ref);
  }

  async function confirmAfter(ms: number, outcome: FinalOutcome, signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([closed, signal]);
    if (!(await untilAfterAcceptance(ms, stop))) return;
    const over = new AbortController();
    const inTime = AbortSignal.any([stop, over.signal]);
    const timer = clock.sleep(confirmMs, inTime).then(() => over.abort());
    try {
      news.verify();
      await news.flush(inTime);
      await bringToEnd(outcome, inTime, 0);
    } catch (error) {
      log.debug({ trouble: errorLine(error) }, 'Girder was not asked whether it has kept the end');
    } finally {
      over.abort();
      await timer;
    }
  }

  return {
    log: (text, mark) => news.log(text, mark),
    progress: (progress) => news.progress(progress),
    waitForRoom: async (signal) => news.waitForRoom(orClosed(signal)),
    flush: async (signal) => news.flush(orClosed(signal)),
    read: async (signal) => asking.updateUntilAnswered(orClosed(signal), nonGirderMs),
    lastSeen: asking.lastSeen,
    async begin(as, signal) {
      begunAs = as;
      const at = await bring(as, orClosed(signal));
      if (isCanceled(at)) return 'canceled';
      if (isFinal(at.status)) return 'over';
      remind().catch((error: unknown) =>
        log.debug({ trouble: errorLine(error) }, 'Girder was not asked whether it has kept the start'),
      );
      return 'go';
    },
    started() {
      begunAs = 'running';
      hasStarted.abort();
      if (finishing || asking.lastSeen()?.status === jobStatus.running) return;
      starting ??= bring('running', AbortSignal.any([closed, ending.signal]))
        .then(() => undefined)
        .catch((error: unknown) =>
          log.debug({ trouble: errorLine(error) }, 'Girder does not know of the start'),
        )
        .finally(() => {
          starting = null;
        });
    },
    async finish(outcome, signal) {
      const stop = orClosed(signal);
      finishing = true;
      // one asker at a time: what is known of the status must not grow old on the way
      ending.abort();
      await starting;
      // the last moment at which the log can be whole before somebody reads it
      if (options.acceptedAt !== undefined) news.verify();
      await news.flush(stop);
      const refused = news.rejection();
      if (refused !== null) throw refused;
      return bringToEnd(outcome, stop, options.finishPatienceMs);
    },
    async verifyOutcome(outcome, signal) {
      const [first, second] = lateSaveCheckMs;
      await confirmAfter(first, outcome, signal);
      lingering = confirmAfter(second, outcome, signal);
    },
    close() {
      if (lingering === null) closing.abort();
      else void lingering.finally(() => closing.abort());
    },
  };
}

/** For a task without a Girder job: everything succeeds without a word. */
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
  // nobody listens
}

/** The statuses to set from here. Where the outcome cannot be reached, the job may at least not stay open. */
function wayToEnd(at: JobDocument, outcome: FinalOutcome): number[] {
  const wished = finalStatus(outcome);
  const isCanceling = at.status === jobStatus.canceling;
  const target = wished === jobStatus.success && isCanceling ? jobStatus.canceled : wished;
  return pathTo(at.handler, at.status, target) ?? pathTo(at.handler, at.status, jobStatus.error) ?? [];
}

function finalStatus(outcome: FinalOutcome): number {
  const { success, error, canceled } = jobStatus;
  return { succeeded: success, failed: error, canceled }[outcome];
}

function statusFight(ref: GirderJobRef): DsaSlurmError {
  return new DsaSlurmError('girder', `The status of Girder job ${ref.id} could not be set.`, {
    next: 'Someone else keeps changing it: look at the job in Girder.',
  });
}
