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

/** Fields of an update, as `PUT job/:id` takes them. */
export type JobUpdate = Readonly<Record<string, string>>;

export interface GirderJobClientOptions extends GirderSetup {
  reporting: ReportLimits;
  /** How the session of the job's publisher is to connect; see `openSession`. */
  connection?: ConnectionOptions;
  /** After this moment, in milliseconds since the epoch, the Girder job's own token is surely gone. */
  tokenExpiresAt: number;
  /** Girder says that the job is being canceled, or is: told once. */
  onCancel: () => void;
  /** Girder says that there is no such job any more: told once. */
  onGone?: () => void;
  /** Why Girder cannot be told at the moment; null once it can again. */
  onProblem?: (trouble: string | null) => void;
}

/** Questions about one Girder job, asked until they are answered. */
export interface GirderJobClient {
  /**
   * Updates the job, or reads it if there is nothing to update. Waits as long as Girder cannot be reached and the token
   * may still be good; `patience` is for how many milliseconds an answer that is not Girder's is taken for an accident.
   * @throws GirderError
   */
  updateUntilAnswered(signal: AbortSignal, patience: number, form?: JobUpdate): Promise<JobDocument>;
  /** Sets a status, or reads the one there is if the rules do not allow this one. */
  setStatus(status: number, signal: AbortSignal, patience: number): Promise<JobDocument>;
  /** The last answer. */
  lastSeen(): JobDocument | null;
  /** Characters of Girder's log, without the piece that is on its way; null as long as it was not read. */
  logLength(): number | null;
}

/** An update that Girder answered so often with a fault of its own may be the reason for it. */
const poisonAfter = 8;

export function createGirderJobClient(ref: GirderJobRef, options: GirderJobClientOptions): GirderJobClient {
  const { reporting, clock, log, onProblem } = options;
  const client = createGirderClient({
    ...options,
    apiUrl: ref.url,
    token: null,
    // names are compared without case, and what names the job wins
    headers: { ...ref.session.headers, ...lowerCased(ref.headers) },
    params: ref.session.params,
  });
  // a publisher's own proxy may be slow, too
  const server = JSON.stringify([URL.parse(client.apiUrl)?.origin, options.connection?.proxy]);
  let known: JobDocument | null = null;
  let told = false;
  let isGone = false;
  let logLength: number | null = null;
  /** Pieces of log that were sent; a reading of the log that overlaps with one says nothing of its length. */
  let pieces = 0;
  let isOnItsWay = false;

  /** One attempt, in turn: retries must not hold the place of others. */
  async function ask(signal: AbortSignal, form?: JobUpdate): Promise<JobDocument> {
    const question = form === undefined ? { method: 'GET' } : { method: ref.method, form };
    const piecesBefore = pieces;
    const document = await reporting
      .run(server, async () => client.json(jobDocument, { ...question, path: '', attempts: 1, signal }))
      .catch(noticeGone);
    if (Array.isArray(document.log) && !isOnItsWay && pieces === piecesBefore) {
      logLength = characterCount(document.log);
    }
    known = document;
    if (isCanceled(document) && !told) {
      told = true;
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

  async function insist(signal: AbortSignal, patience: number, form?: JobUpdate): Promise<JobDocument> {
    const piece = form?.['log'];
    // a log that is written anew is the same however often that is done
    if (piece === undefined || form?.['overwrite'] !== undefined) {
      const document = await askUntilAnswered(signal, patience, form);
      if (piece !== undefined) logLength = piece.length;
      return document;
    }
    isOnItsWay = true;
    pieces += 1;
    const before = logLength;
    const told = describeChunk(piece, before);
    // what becomes of one that is not answered is not known
    logLength = null;
    try {
      const document = await askUntilAnswered(signal, patience, form, async () => findInLog(told, signal));
      if (before !== null) logLength = before + piece.length;
      return document;
    } finally {
      isOnItsWay = false;
    }
  }

  /** @param look says, after an attempt that was not answered, whether it has done its work all the same */
  async function askUntilAnswered(
    signal: AbortSignal,
    patience: number,
    form: JobUpdate | undefined,
    look: () => Promise<JobDocument | null> = async () => null,
  ): Promise<JobDocument> {
    const since = clock.monotonic();
    for (let failures = 1; ; failures += 1) {
      try {
        const answer = (failures > 1 ? await look() : null) ?? (await ask(signal, form));
        if (failures > 1) onProblem?.(null);
        if (failures > 2) log.info('Girder can be told again');
        return answer;
      } catch (error) {
        if (!(error instanceof GirderError) || clock.monotonic() - since >= patienceFor(error, patience)) {
          if (failures > 1) onProblem?.(null);
          throw error;
        }
        if (form !== undefined && error.status === 500 && failures >= poisonAfter)
          await lookForPoison(error, signal);
        onProblem?.(errorLine(error));
        log.debug({ girderJob: ref.id, trouble: error.message, failures }, 'Girder cannot be told yet');
        if (failures === 2) log.warn({ why: error.message }, 'Girder cannot be told; it is waited for');
        await clock.sleep(pauseAfter(failures, error), signal);
      }
    }
  }

  /** The job, if its log has this piece; null if not. */
  async function findInLog(piece: PendingLogChunk, signal: AbortSignal): Promise<JobDocument | null> {
    const document = await ask(signal);
    return isInLog(document.log ?? [], piece) ? document : null;
  }

  /** @throws `error` if it is this update that Girder cannot digest: without it, Girder is well */
  async function lookForPoison(error: GirderError, signal: AbortSignal): Promise<void> {
    try {
      await ask(signal);
    } catch {
      return;
    }
    onProblem?.(null);
    throw error;
  }

  /** A fault of Girder's own is waited out for longer here: {@link lookForPoison} finds out what it is about. */
  function patienceFor(error: GirderError, nonGirderMs: number): number {
    const { tokenExpiresAt } = options;
    return maxWaitMs(error, { tokenExpiresAt, nonGirderMs, serverErrorMs: Infinity }, clock.now());
  }

  return {
    updateUntilAnswered: insist,
    async setStatus(status, signal, patience) {
      try {
        return await insist(signal, patience, { status: String(status) });
      } catch (error) {
        if (!isRefusedStatus(error)) throw error;
        return insist(signal, patience);
      }
    },
    lastSeen: () => known,
    logLength: () => logLength,
  };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Canceled, or about to be. */
export function isCanceled({ status }: JobDocument): boolean {
  return status === jobStatus.canceling || status === jobStatus.canceled;
}

function isRefusedStatus(error: unknown): boolean {
  return error instanceof GirderError && error.kind === 'refused' && error.field === 'status';
}
