import { errorLine } from '../../base/errors.js';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { GirderError } from '../api/girder-error.js';
import type { JobDocument } from '../api/documents.js';
import type { JobUpdate } from './job-client.js';
import { createLogBuffer, chunkLength, type LogMark, type LogMarks } from './log-buffer.js';
import { describeChunk, type PendingLogChunk } from './log-chunk.js';
import { createSentLog } from './sent-log.js';

/** What is null or left out stays as it was. */
export interface JobProgress {
  total?: number | null;
  current?: number | null;
  message?: string | null;
}

export interface ReportQueueOptions {
  /** Milliseconds between two reports, at least. */
  reportMs: number;
  /** @throws GirderError when Girder will not take this. */
  send: (form: JobUpdate) => Promise<unknown>;
  /** Reads the Girder job. @throws GirderError */
  read: () => Promise<JobDocument>;
  /** A piece that brings text to these marks is about to be sent; awaited. */
  onSending?: ((marks: LogMarks, piece: PendingLogChunk) => Promise<void>) | undefined;
  /** Characters of Girder's log at present; null if nobody knows. */
  logLength: () => number | null;
  onSent?: ((marks: LogMarks) => void) | undefined;
  clock: Clock;
  log: Log;
  /** Ends all reporting. */
  closed: AbortSignal;
}

/** Log and progress of one Girder job, on their way to Girder. */
export interface ReportQueue {
  log(text: string, mark?: LogMark): void;
  progress(progress: JobProgress): void;
  waitForRoom(stop: AbortSignal): Promise<void>;
  flush(stop: AbortSignal): Promise<void>;
  /** Soon compares what Girder has with what was sent, and sends again what it has lost. `flush` waits for it. */
  verify(): void;
  /** The Girder job as it was read before anything was sent. */
  setInitialLog(document: JobDocument): void;
  /** Girder will not hear any more of this job, and why. */
  rejection(): GirderError | null;
}

/** Characters of log that may wait before `room` makes its caller wait. */
const roomy = 1 << 18;

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
  const wanted = new Map<string, string>();
  const accepted = new Map<string, string>();
  const sentLog = createSentLog();
  let wantsComparison = false;
  let refused: GirderError | null = null;
  let lastReport = Number.NEGATIVE_INFINITY;
  let flushes = 0;
  let pause = new AbortController();
  let isSending = false;
  let waiting: (() => void)[] = [];

  /** Python sends all of it with every report; what Girder has already is left out here. */
  function changedProgress(): Record<string, string> {
    return Object.fromEntries([...wanted].filter(([name, value]) => accepted.get(name) !== value));
  }

  function hasNews(): boolean {
    return (
      refused === null && (wantsComparison || !buffer.isEmpty() || Object.keys(changedProgress()).length > 0)
    );
  }

  function hasRoom(): boolean {
    return refused !== null || buffer.length() < roomy;
  }

  async function sendNews(): Promise<void> {
    const changed = changedProgress();
    const piece = buffer.next();
    const form: JobUpdate = piece === null || piece.text === '' ? changed : { ...changed, log: piece.text };
    const isMarked = piece !== null && Object.keys(piece.marks).length > 0;
    if (isMarked) await onSending?.(piece.marks, describeChunk(piece.text, logLength()));
    let isAccepted = false;
    try {
      if (Object.keys(form).length > 0) await send(form);
      isAccepted = true;
    } catch (error) {
      if (closed.aborted) return;
      if (error instanceof GirderError && (error.kind === 'access' || error.kind === 'missing')) {
        refused = error;
        buffer.clear();
        log.warn({ trouble: error.message }, 'Girder takes no more reports on this job');
        return;
      }
      const isAway = error instanceof GirderError && error.kind !== 'refused' && error.kind !== 'busy';
      if (isAway) {
        // waited for long enough: what waits would only wait as long again, one piece after the other
        buffer.drop();
        for (const [name, value] of wanted) accepted.set(name, value);
        log.warn({ trouble: error.message }, 'reports are left out');
        return;
      }
      // whatever is wrong with this piece, later ones shall not wait for it
      log.warn({ trouble: errorLine(error) }, 'a report is left out');
    }
    lastReport = clock.monotonic();
    if (isAccepted) sentLog.add(form['log'] ?? '');
    for (const [name, value] of Object.entries(changed)) accepted.set(name, value);
    buffer.confirm();
    if (isMarked) onSent?.(piece.marks);
  }

  /** Nothing of the log is on its way meanwhile: only one of this and {@link sendNews} goes on at a time. */
  async function compareNow(): Promise<void> {
    try {
      const document = await read();
      for (const [name, value] of progressOf(document)) {
        if (accepted.has(name) && accepted.get(name) !== value) accepted.delete(name);
      }
      const has = document.log?.join('') ?? '';
      sentLog.start(has);
      const repaired = sentLog.repaired(has);
      if (repaired === null) return;
      log.info('Girder has lost the beginning of the log: it is sent again');
      await send({ log: repaired, overwrite: 'true' });
    } catch (error) {
      log.debug({ trouble: errorLine(error) }, 'what Girder has could not be compared');
    } finally {
      wantsComparison = false;
    }
  }

  async function sendAll(): Promise<void> {
    while (hasNews() && !closed.aborted) {
      if (wantsComparison) {
        await compareNow();
        tellWaiting();
        continue;
      }
      // the interval gathers small reports; a log that is behind has enough for the next piece already
      const isBehind = buffer.length() >= chunkLength;
      const wait = flushes > 0 || isBehind ? 0 : lastReport + reportMs - clock.monotonic();
      if (wait > 0) await clock.sleep(wait, AbortSignal.any([closed, pause.signal]));
      if (!closed.aborted) await sendNews();
      tellWaiting();
    }
  }

  function tellWaiting(): void {
    const told = waiting;
    waiting = [];
    for (const tell of told) tell();
  }

  function wake(): void {
    if (isSending || !hasNews() || closed.aborted) return;
    isSending = true;
    void sendAll()
      .catch((error: unknown) => log.error({ trouble: errorLine(error) }, 'reporting failed'))
      .finally(() => {
        isSending = false;
        tellWaiting();
      });
  }

  /** Resolves after the next report, or at abort. */
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

  return {
    log(text, mark) {
      if (refused !== null) return;
      buffer.append(text, mark);
      wake();
    },
    progress({ total, current, message }) {
      if (Number.isFinite(total)) wanted.set('progressTotal', String(total));
      if (Number.isFinite(current)) wanted.set('progressCurrent', String(current));
      if (typeof message === 'string') wanted.set('progressMessage', cleanMessage(message));
      wake();
    },
    async waitForRoom(stop) {
      while (!hasRoom() && !stop.aborted) await nextReport(stop);
    },
    async flush(stop) {
      flushes += 1;
      pause.abort();
      while (hasNews() && !stop.aborted) await nextReport(stop);
      flushes -= 1;
      if (flushes === 0) pause = new AbortController();
    },
    verify() {
      wantsComparison = true;
      wake();
    },
    setInitialLog: (document) => sentLog.start(document.log?.join('') ?? ''),
    rejection: () => refused,
  };
}

/** As it is sent; what Girder does not have counts as empty. */
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
