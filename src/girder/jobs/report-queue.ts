import { errorLine } from '../../base/errors.js';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { GirderError } from '../api/girder-error.js';
import type { JobDocument } from '../api/documents.js';
import { isRefusedStatus, type JobUpdate } from './job-client.js';
import { createLogBuffer, chunkLength, type LogMark, type LogMarks } from './log-buffer.js';
import { describeChunk, type PendingLogChunk } from './log-chunk.js';
import { createSentLog } from './sent-log.js';

/** Null or absent fields keep their value. */
export interface JobProgress {
  total?: number | null;
  current?: number | null;
  message?: string | null;
}

interface ReportQueueOptions {
  /** Minimum time between two reports, in milliseconds. */
  reportMs: number;
  /** @throws GirderError when Girder rejects the update */
  send: (form: JobUpdate) => Promise<unknown>;
  /** Reads the Girder job. @throws GirderError */
  read: () => Promise<JobDocument>;
  /** Awaited before log text up to these marks is sent. */
  onSending?: ((marks: LogMarks, chunk: PendingLogChunk) => Promise<void>) | undefined;
  /** Current length of Girder's log in characters; null if unknown. */
  logLength: () => number | null;
  onSent?: ((marks: LogMarks) => void) | undefined;
  clock: Clock;
  log: Log;
  /** Stops all reporting. */
  closed: AbortSignal;
}

/** Log text and progress of one Girder job that wait to be sent. */
interface ReportQueue {
  log(text: string, mark?: LogMark): void;
  progress(progress: JobProgress): void;
  waitForRoom(stop: AbortSignal): Promise<void>;
  /** @param status is set by the request that sends the last report, if one waits and Girder allows it */
  flush(stop: AbortSignal, status?: number | null): Promise<void>;
  /** Something else was just reported: what follows waits for the interval. */
  startInterval(): void;
  /**
   * Compares what Girder has with what was sent, and resends what it has lost. `flush` waits for it.
   * @returns the job as it was read for that; null if it could not be read
   */
  verify(): Promise<JobDocument | null>;
  /**
   * If nothing was reported yet and the first report is due within `ms` milliseconds, waits until it was sent. The answer to it
   * then shows what {@link ReportQueue.verify} would.
   * @returns false if another request is needed for that
   */
  firstReport(ms: number, stop: AbortSignal): Promise<boolean>;
  /** Records the log of the Girder job as it was before anything was sent. */
  setInitialLog(document: JobDocument): void;
  /** Why Girder accepts no further reports of this job; null while it does. */
  rejection(): GirderError | null;
}

/** Characters of log that may be queued before `waitForRoom` blocks. */
const roomLimit = 1 << 18;

export function createReportQueue({
  reportMs,
  send,
  read,
  onSending,
  onSent,
  logLength,
  clock,
  log,
  closed,
}: ReportQueueOptions): ReportQueue {
  const buffer = createLogBuffer();
  const reported = new Map<string, string>();
  const accepted = new Map<string, string>();
  const sentLog = createSentLog();
  let verification: PromiseWithResolvers<JobDocument | null> | null = null;
  let rejection: GirderError | null = null;
  let lastReport = Number.NEGATIVE_INFINITY;
  let finalStatus: number | null = null;
  let hasReported = false;
  let flushes = 0;
  /** Ends the wait for the interval; null unless something waits. */
  let pause: AbortController | null = null;
  let isSending = false;
  let waiting: (() => void)[] = [];

  /** Unlike the Python worker, which repeats all fields with every report. */
  function changedProgress(): Record<string, string> {
    return Object.fromEntries([...reported].filter(([name, value]) => accepted.get(name) !== value));
  }

  function hasReports(): boolean {
    return (
      rejection === null &&
      (verification !== null || !buffer.isEmpty() || Object.keys(changedProgress()).length > 0)
    );
  }

  function hasRoom(): boolean {
    return rejection !== null || buffer.length() < roomLimit;
  }

  async function sendReport(): Promise<void> {
    const changed = changedProgress();
    const chunk = buffer.next();
    const report: JobUpdate = chunk === null || chunk.text === '' ? changed : { ...changed, log: chunk.text };
    const endsHere = finalStatus !== null && buffer.length() === 0 && Object.keys(report).length > 0;
    const form: JobUpdate = endsHere ? { ...report, status: String(finalStatus) } : report;
    const isMarked = chunk !== null && Object.keys(chunk.marks).length > 0;
    if (isMarked) await onSending?.(chunk.marks, describeChunk(chunk.text, logLength()));
    let isAccepted = false;
    try {
      if (Object.keys(form).length > 0) await send(form);
      isAccepted = true;
    } catch (error) {
      if (closed.aborted) return;
      if (endsHere && isRefusedStatus(error)) {
        // the report is sent again without it; a late save that has changed the status has deleted the log as well
        finalStatus = null;
        verification ??= Promise.withResolvers();
        return;
      }
      if (error instanceof GirderError && (error.kind === 'access' || error.kind === 'missing')) {
        rejection = error;
        endVerification(null);
        buffer.clear();
        log.warn({ error: error.message }, 'Girder accepts no more reports of this job');
        return;
      }
      const isAway = error instanceof GirderError && error.kind !== 'refused' && error.kind !== 'busy';
      if (isAway) {
        // retried long enough: every further chunk would be retried just as long
        buffer.drop();
        for (const [name, value] of reported) accepted.set(name, value);
        log.warn({ error: error.message }, 'dropping the reports that wait');
        return;
      }
      // a report that Girder rejects must not hold up the ones after it
      log.warn({ error: errorLine(error) }, 'dropping one report');
    }
    lastReport = clock.monotonic();
    if (isAccepted) {
      hasReported = true;
      sentLog.add(form['log'] ?? '');
    }
    for (const [name, value] of Object.entries(changed)) accepted.set(name, value);
    buffer.confirm();
    if (isMarked) onSent?.(chunk.marks);
  }

  /** Never runs at the same time as {@link sendReport}, so no log text is in transit. */
  async function verifyNow(): Promise<void> {
    let document: JobDocument | null = null;
    try {
      document = await read();
      for (const [name, value] of progressOf(document)) {
        if (accepted.has(name) && accepted.get(name) !== value) accepted.delete(name);
      }
      const has = document.log?.join('') ?? '';
      sentLog.start(has);
      const repaired = sentLog.repaired(has);
      if (repaired === null) return;
      log.info('Girder has lost the beginning of the log; sending it again');
      await send({ log: repaired, overwrite: 'true' });
    } catch (error) {
      log.debug({ error: errorLine(error) }, 'could not compare the log and progress in Girder');
    } finally {
      endVerification(document);
    }
  }

  async function sendReports(): Promise<void> {
    while (hasReports() && !closed.aborted) {
      if (verification !== null) {
        await verifyNow();
        releaseWaiting();
        continue;
      }
      // the interval collects small reports; a full chunk is sent at once
      const isBehind = buffer.length() >= chunkLength;
      const wait = flushes > 0 || isBehind ? 0 : lastReport + reportMs - clock.monotonic();
      if (wait > 0) {
        pause = new AbortController();
        await clock.sleep(wait, AbortSignal.any([closed, pause.signal]));
        pause = null;
      }
      if (!closed.aborted) await sendReport();
      releaseWaiting();
    }
  }

  function endVerification(document: JobDocument | null): void {
    verification?.resolve(document);
    verification = null;
  }

  function releaseWaiting(): void {
    const resolvers = waiting;
    waiting = [];
    for (const resolve of resolvers) resolve();
  }

  function wake(): void {
    if (isSending || !hasReports() || closed.aborted) return;
    isSending = true;
    void sendReports()
      .catch((error: unknown) => log.error({ error: errorLine(error) }, 'reporting failed'))
      .finally(() => {
        isSending = false;
        releaseWaiting();
      });
  }

  /** Resolves after the next report, or on abort. */
  async function nextReport(stop: AbortSignal): Promise<void> {
    wake();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stop.removeEventListener('abort', done);
        resolve();
      };
      stop.addEventListener('abort', done, { once: true });
      waiting.push(done);
    });
  }

  closed.addEventListener('abort', () => endVerification(null), { once: true });

  return {
    log(text, mark) {
      if (rejection !== null) return;
      buffer.append(text, mark);
      wake();
    },
    progress({ total, current, message }) {
      if (Number.isFinite(total)) reported.set('progressTotal', String(total));
      if (Number.isFinite(current)) reported.set('progressCurrent', String(current));
      if (typeof message === 'string') reported.set('progressMessage', cleanMessage(message));
      wake();
    },
    async waitForRoom(stop) {
      while (!hasRoom() && !stop.aborted) await nextReport(stop);
    },
    async flush(stop, status = null) {
      finalStatus = status;
      flushes += 1;
      pause?.abort();
      while (hasReports() && !stop.aborted) await nextReport(stop);
      finalStatus = null;
      flushes -= 1;
    },
    startInterval() {
      lastReport = clock.monotonic();
    },
    async verify() {
      if (rejection !== null || closed.aborted) return null;
      verification ??= Promise.withResolvers();
      const { promise } = verification;
      wake();
      return promise;
    },
    async firstReport(ms, stop) {
      const isSoon = hasReports() && lastReport + reportMs - clock.monotonic() <= ms;
      if (hasReported || verification !== null || !isSoon) return false;
      await nextReport(stop);
      return hasReported;
    },
    setInitialLog: (document) => sentLog.start(document.log?.join('') ?? ''),
    rejection: () => rejection,
  };
}

/** The progress in Girder as form fields; absent values are empty. */
function progressOf({ progress }: JobDocument): [string, string][] {
  return [
    ['progressTotal', String(progress?.total ?? '')],
    ['progressCurrent', String(progress?.current ?? '')],
    ['progressMessage', progress?.message ?? ''],
  ];
}

function cleanMessage(message: string): string {
  return message
    .slice(0, 1_000)
    .toWellFormed()
    .replaceAll(/\p{Cc}+/gu, ' ');
}
