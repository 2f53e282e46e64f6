import { errorLine } from '../../base/errors.js';
import type { Settings } from '../../config/schema.js';
import type { GirderSetup } from '../../girder/api/client.js';
import { findGirderJobOf, type CreatedGirderJob, type NewGirderJob } from '../../girder/jobs/create-job.js';
import { GirderError } from '../../girder/api/girder-error.js';
import { createAdminClient } from '../../girder/api/admin-client.js';

/**
 * The Girder job that was made for a task before a crash, or before an answer was lost. The token of a message makes jobs and
 * sees none, so this takes an API key (`girder.apiKey`, of an administrator).
 * @returns null if there is none, or none to be seen: without a key, or with one that Girder does not take
 * @throws GirderError while Girder is away; the abort reason
 */
export type GirderJobSearch = (
  job: Pick<NewGirderJob, 'taskId' | 'type'>,
  signal: AbortSignal,
) => Promise<CreatedGirderJob | null>;

export function createGirderJobSearch(
  options: Omit<GirderSetup, 'apiUrlMap'> & { girder: Settings['girder'] },
): GirderJobSearch {
  const { apiKey, apiUrl, apiUrlMap } = options.girder;
  if (apiKey === null || apiUrl === null) return async () => null;
  const client = createAdminClient({ ...options, apiUrl, apiKey, apiUrlMap });
  return async (job, signal) => {
    try {
      return await findGirderJobOf(client, job, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof GirderError && error.transient) throw error;
      options.log.warn(
        { task: job.taskId, why: errorLine(error) },
        'Girder does not say whether it has a job for this task already',
      );
      return null;
    }
  };
}
