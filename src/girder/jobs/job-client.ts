import { errorLine } from '../../base/errors.js';
import type { GirderJobRef } from '../protocol/analysis.js';
import { createGirderClient, type GirderSetup } from '../api/client.js';
import type { ConnectionOptions } from '../api/connections.js';
import { jobDocument, type JobDocument } from '../api/documents.js';
import { GirderError } from '../api/girder-error.js';
import { characterCount, describeChunk, isInLog, type PendingLogChunk } from './log-chunk.js';
import { maxWaitMs, pauseAfter } from '../api/patience.js';
import type { ReportLimits } from './report-limits.js';
import { jobStatus } from './transitions.js';

/** Form fields of `PUT job/:id`. */
export type JobUpdate = Readonly<Record<string, string>>;

interface GirderJobClientOptions extends GirderSetup {
  limits: ReportLimits;
  /** Connection options that the publisher set for job updates; see `openSession`. */
  connection?: ConnectionOptions;
  /** When the Girder job's own token has certainly expired, in milliseconds since the epoch. */
  tokenExpiresAt: number;
  /** Whether the log in Girder is empty. */
  isNew?: boolean;
  /** Called once when Girder reports the job as canceling or canceled. */
  onCancel: () => void;
  /** Called once when Girder reports that the job no longer exists. */
  onGone?: () => void;
  /** Why Girder cannot be updated at the moment; null once it can again. */
  onProblem?: (problem: string | null) => void;
}

/** Reads and updates one Girder job, with retries. */
interface GirderJobClient {
  /**
   * Updates the job, or reads it if `form` is absent. Retries while Girder cannot be reached and the token may still be valid.
   * @param patience for how many milliseconds to retry when the response does not come from Girder
   * @throws GirderError
   */
  updateUntilAnswered(signal: AbortSignal, patience: number, form?: JobUpdate): Promise<JobDocument>;
  /** Sets a status; if Girder rejects the transition, reads the current status instead. */
  setStatus(status: number, signal: AbortSignal, patience: number): Promise<JobDocument>;
  /** The last document that Girder returned; null before the first one. */
  lastSeen(): JobDocument | null;
  /** Length of Girder's log in characters, without the chunk being sent; null if it is not known. */
  logLength(): number | null;
}

/** After this many 500 responses in a row, check whether this very update causes them. */
const poisonCheckAfter = 8;

export function createGirderJobClient(ref: GirderJobRef, options: GirderJobClientOptions): GirderJobClient {
  const { limits, clock, log, onProblem } = options;
  const client = createGirderClient({
    ...options,
    apiUrl: ref.url,
    token: null,
    // header names are case-insensitive; the job's own headers override those of the session
    headers: { ...ref.session.headers, ...lowerCased(ref.headers) },
    params: ref.session.params,
  });
  // a publisher's own proxy may be slow as well, so it has its own limit
  const server = JSON.stringify([URL.parse(client.apiUrl)?.origin, options.connection?.proxy]);
  let lastSeen: JobDocument | null = null;
  let cancelReported = false;
  let isGone = false;
  let logLength: number | null = options.isNew === true ? 0 : null;
  /** Log chunks sent so far. A read that overlaps with one of them says nothing about the length of the log. */
  let chunksSent = 0;
  let isSendingLog = false;

  /** A single attempt: pauses between retries must not occupy a slot of the limiter. */
  async function ask(signal: AbortSignal, form?: JobUpdate): Promise<JobDocument> {
    const question = form === undefined ? { method: 'GET' } : { method: ref.method, form };
    const chunksBefore = chunksSent;
    const document = await limits
      .run(server, async () => client.json(jobDocument, { ...question, path: '', attempts: 1, signal }))
      .catch(noticeGone);
    if (Array.isArray(document.log) && !isSendingLog && chunksSent === chunksBefore) {
      logLength = characterCount(document.log);
    }
    lastSeen = document;
    if (isCanceled(document) && !cancelReported) {
      cancelReported = true;
      options.onCancel();
    }
    return document;
  }

  function noticeGone(error: unknown): never {
    if (error instanceof GirderError && error.kind === 'missing' && !isGone) {
      isGone = true;
      options.onGone?.();
    }
    throw error;
  }

  async function updateUntilAnswered(
    signal: AbortSignal,
    patience: number,
    form?: JobUpdate,
  ): Promise<JobDocument> {
    const chunk = form?.['log'];
    // overwriting the log is idempotent; appending to it is not
    if (chunk === undefined || form?.['overwrite'] !== undefined) {
      const document = await askUntilAnswered(signal, patience, form);
      if (chunk !== undefined) logLength = chunk.length;
      return document;
    }
    isSendingLog = true;
    chunksSent += 1;
    const before = logLength;
    const pending = describeChunk(chunk, before);
    // unknown until Girder answers
    logLength = null;
    try {
      const document = await askUntilAnswered(signal, patience, form, async () => findInLog(pending, signal));
      if (before !== null) logLength = before + chunk.length;
      return document;
    } finally {
      isSendingLog = false;
    }
  }

  /** @param alreadyDone after a failed attempt, returns the document if that attempt took effect all the same */
  async function askUntilAnswered(
    signal: AbortSignal,
    patience: number,
    form: JobUpdate | undefined,
    alreadyDone: () => Promise<JobDocument | null> = async () => null,
  ): Promise<JobDocument> {
    const since = clock.monotonic();
    for (let failures = 1; ; failures += 1) {
      try {
        const answer = (failures > 1 ? await alreadyDone() : null) ?? (await ask(signal, form));
        if (failures > 1) onProblem?.(null);
        if (failures > 2) log.info('Girder accepts updates again');
        return answer;
      } catch (error) {
        if (!(error instanceof GirderError) || clock.monotonic() - since >= patienceFor(error, patience)) {
          if (failures > 1) onProblem?.(null);
          throw error;
        }
        if (form !== undefined && error.status === 500 && failures >= poisonCheckAfter)
          await throwIfPoison(error, signal);
        onProblem?.(errorLine(error));
        log.debug({ girderJob: ref.id, error: error.message, failures }, 'update of Girder job failed');
        if (failures === 2) log.warn({ error: error.message }, 'Girder does not accept updates; retrying');
        await clock.sleep(pauseAfter(failures, error), signal);
      }
    }
  }

  /** The job document if its log contains this chunk, else null. */
  async function findInLog(chunk: PendingLogChunk, signal: AbortSignal): Promise<JobDocument | null> {
    const document = await ask(signal);
    return isInLog(document.log ?? [], chunk) ? document : null;
  }

  /** @throws `error` if Girder answers a plain read: then this update itself is the cause of its 500 responses */
  async function throwIfPoison(error: GirderError, signal: AbortSignal): Promise<void> {
    try {
      await ask(signal);
    } catch {
      return;
    }
    onProblem?.(null);
    throw error;
  }

  /** A 500 has no time limit here, because {@link throwIfPoison} detects an update that causes it. */
  function patienceFor(error: GirderError, nonGirderMs: number): number {
    const { tokenExpiresAt } = options;
    return maxWaitMs(error, { tokenExpiresAt, nonGirderMs, serverErrorMs: Infinity }, clock.now());
  }

  return {
    updateUntilAnswered,
    async setStatus(status, signal, patience) {
      try {
        return await updateUntilAnswered(signal, patience, { status: String(status) });
      } catch (error) {
        if (!isRefusedStatus(error)) throw error;
        return updateUntilAnswered(signal, patience);
      }
    },
    lastSeen: () => lastSeen,
    logLength: () => logLength,
  };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Canceled or being canceled. */
export function isCanceled({ status }: JobDocument): boolean {
  return status === jobStatus.canceling || status === jobStatus.canceled;
}

/** Girder refused to set a status, and applied nothing else of the update. */
export function isRefusedStatus(error: unknown): boolean {
  return error instanceof GirderError && error.kind === 'refused' && error.field === 'status';
}
