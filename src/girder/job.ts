import { DsaSlurmError } from '../base/errors.js';
import type { GirderJobRef } from './analysis.js';
import type { GirderSetup } from './client.js';
import type { JobDocument } from './documents.js';
import { createJobAsking, isCanceled } from './job-asking.js';
import { createJobNews, type JobProgress } from './job-news.js';
import type { Reporting } from './reporting.js';
import { isFinal, jobStatus, pathTo } from './transitions.js';

export type FinalOutcome = 'succeeded' | 'failed' | 'canceled';

export interface GirderJobOptions extends GirderSetup {
  reporting: Reporting;
  /** Girder says that the job is being canceled, or is: told once, and not during `finish`. */
  onCancel?: () => void;
  /** All log text up to this mark is in Girder. */
  /** Log text up to this mark is about to be sent; sending waits for it. */
  onSending?: (mark: number) => Promise<void>;
  onSent?: (mark: number) => void;
  /** Why Girder cannot be told at the moment; null once it can again. */
  onTrouble?: (trouble: string | null) => void;
}

/** The Girder job of a run: what its user watches. Every `signal` ends the waiting and asking of its call. */
export interface GirderJob {
  /**
   * Says RUNNING. `canceled`: someone was faster, do not run; `over`: it is SUCCESS or ERROR already.
   * @throws GirderError when Girder refuses for good; waits as long as it cannot be reached.
   */
  begin(signal?: AbortSignal): Promise<'running' | 'canceled' | 'over'>;
  /** Appends to the log, soon. `mark` comes back through `onSent`. */
  log(text: string, mark?: number): void;
  /** What changed is sent, soon. */
  progress(progress: JobProgress): void;
  /**
   * Resolves once there is room for more log text. Who does not wait for it loses the oldest text when Girder is slow,
   * and the log says so.
   */
  room(signal?: AbortSignal): Promise<void>;
  /** Resolves when nothing waits any more, when Girder will not hear of it any more, or at abort. */
  flush(signal?: AbortSignal): Promise<void>;
  /**
   * Flushes, and then sets the final status by a legal way, for as long as that takes. Resolves with the status
   * that the Girder job has: a job that is being canceled ends as CANCELED, not as SUCCESS, and one that was final
   * stays as it is.
   * @throws GirderError when Girder refuses for good (401, 403, 404) or at abort.
   */
  finish(outcome: FinalOutcome, signal?: AbortSignal): Promise<number>;
  read(signal?: AbortSignal): Promise<JobDocument>;
  /** Stops reporting; what was not sent yet is forgotten. */
  close(): void;
}

/** Attempts after which an answer that is not Girder's counts as final, where nothing depends on it. */
const strangeAttempts = 8;
/** Rounds of setting a status that someone else keeps changing. */
const rounds = 10;

/** Reports to one Girder job. Nothing is sent before the first call. */
export function createGirderJob(ref: GirderJobRef, options: GirderJobOptions): GirderJob {
  const { reporting, clock, onSending, onSent } = options;
  const log = options.log.child({ girderJob: ref.id });
  const closing = new AbortController();
  const closed = closing.signal;
  let finishing = false;
  const asking = createJobAsking(ref, {
    ...options,
    log,
    onCancel: () => {
      if (!finishing) options.onCancel?.();
    },
  });
  const news = createJobNews({
    reportMs: reporting.reportMs,
    send: async (form) => asking.insist(closed, strangeAttempts, form),
    onSending,
    onSent,
    clock,
    log,
    closed,
  });
  const orClosed = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closed : AbortSignal.any([closed, signal]);

  return {
    log: (text, mark) => news.log(text, mark),
    progress: (progress) => news.progress(progress),
    room: async (signal) => news.room(orClosed(signal)),
    flush: async (signal) => news.flush(orClosed(signal)),
    read: async (signal) => asking.insist(orClosed(signal), strangeAttempts),
    async begin(signal) {
      const stop = orClosed(signal);
      let at = await asking.tryStatus(jobStatus.running, stop, strangeAttempts);
      for (let round = 0; round < rounds; round += 1) {
        if (isCanceled(at)) return 'canceled';
        if (isFinal(at.status)) return 'over';
        const [step] = pathTo(at.handler, at.status, jobStatus.running) ?? [];
        // it is RUNNING, or handles inputs and outputs, from where no way leads back
        if (step === undefined) return 'running';
        at = await asking.tryStatus(step, stop, strangeAttempts);
      }
      throw statusFight(ref);
    },
    async finish(outcome, signal) {
      const stop = orClosed(signal);
      finishing = true;
      await news.flush(stop);
      const refused = news.refused();
      if (refused !== null) throw refused;
      let at = asking.known() ?? (await asking.insist(stop, Infinity));
      for (let round = 0; round < rounds; round += 1) {
        if (isFinal(at.status)) return at.status;
        const [step] = wayToEnd(at, outcome);
        if (step === undefined) break;
        at = await asking.tryStatus(step, stop, Infinity);
      }
      throw statusFight(ref);
    },
    close: () => closing.abort(),
  };
}

/** For a task without a Girder job: everything succeeds without a word. */
export function silentGirderJob(): GirderJob {
  return {
    begin: async () => 'running',
    log: nothing,
    progress: nothing,
    room: async () => undefined,
    flush: async () => undefined,
    finish: async (outcome) => finalStatus(outcome),
    read: async () => ({ status: jobStatus.running, handler: '' }),
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
