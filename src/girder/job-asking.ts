import { errorLine } from '../base/errors.js';
import type { GirderJobRef } from './analysis.js';
import { backoff } from './backoff.js';
import { createGirderClient, type GirderSetup } from './client.js';
import { jobDocument, type JobDocument } from './documents.js';
import { GirderError } from './girder-error.js';
import type { Reporting } from './reporting.js';
import { jobStatus } from './transitions.js';

/** Fields of an update, as `PUT job/:id` takes them. */
export type JobForm = Readonly<Record<string, string>>;

export interface JobAskingOptions extends GirderSetup {
  reporting: Reporting;
  /** Girder says that the job is being canceled, or is: told once. */
  onCancel: () => void;
  /** Why Girder cannot be told at the moment; null once it can again. */
  onTrouble?: (trouble: string | null) => void;
}

/** Questions about one Girder job, asked until they are answered. */
export interface JobAsking {
  /**
   * Updates the job, or reads it if there is nothing to update. Waits as long as Girder cannot be reached; `patience` is how often an
   * answer that is not Girder's is taken for an accident.
   * @throws GirderError
   */
  insist(signal: AbortSignal, patience: number, form?: JobForm): Promise<JobDocument>;
  /** Sets a status, or reads the one there is if the rules do not allow this one. */
  tryStatus(status: number, signal: AbortSignal, patience: number): Promise<JobDocument>;
  /** The last answer. */
  known(): JobDocument | null;
}

export function createJobAsking(ref: GirderJobRef, options: JobAskingOptions): JobAsking {
  const { reporting, clock, log, onTrouble } = options;
  const client = createGirderClient({
    ...options,
    apiUrl: ref.url,
    token: null,
    headers: ref.headers,
    verifyTls: ref.verifyTls,
  });
  let known: JobDocument | null = null;
  let told = false;

  /** One attempt, in turn: retries must not hold the place of others. */
  async function ask(signal: AbortSignal, form?: JobForm): Promise<JobDocument> {
    const question = form === undefined ? { method: 'GET' } : { method: ref.method, form };
    const document = await reporting.run(async () =>
      client.json(jobDocument, { ...question, path: '', attempts: 1, signal }),
    );
    known = document;
    if (isCanceled(document) && !told) {
      told = true;
      options.onCancel();
    }
    return document;
  }

  async function insist(signal: AbortSignal, patience: number, form?: JobForm): Promise<JobDocument> {
    for (let failures = 1; ; failures += 1) {
      try {
        const answer = await ask(signal, form);
        if (failures > 1) onTrouble?.(null);
        return answer;
      } catch (error) {
        const accident =
          error instanceof GirderError &&
          (error.transient || (error.trouble === 'not-girder' && failures < patience));
        if (!accident) {
          if (failures > 1) onTrouble?.(null);
          throw error;
        }
        onTrouble?.(errorLine(error));
        log.debug({ girderJob: ref.id, trouble: error.message, failures }, 'Girder cannot be told yet');
        await clock.sleep(backoff(failures, error.retryAfter), signal);
      }
    }
  }

  return {
    insist,
    async tryStatus(status, signal, patience) {
      try {
        return await insist(signal, patience, { status: String(status) });
      } catch (error) {
        if (!isRefusedStatus(error)) throw error;
        return insist(signal, patience);
      }
    },
    known: () => known,
  };
}

/** Canceled, or about to be. */
export function isCanceled({ status }: JobDocument): boolean {
  return status === jobStatus.canceling || status === jobStatus.canceled;
}

function isRefusedStatus(error: unknown): boolean {
  return error instanceof GirderError && error.trouble === 'refused' && error.field === 'status';
}
