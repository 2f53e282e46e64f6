import { errorLine } from '../../base/errors.js';
import type { Settings } from '../../config/schema.js';
import type { GirderSetup } from '../../girder/api/client.js';
import { findGirderJobOf, type CreatedGirderJob, type NewGirderJob } from '../../girder/jobs/create-job.js';
import { GirderError } from '../../girder/api/girder-error.js';
import { createAdminClient } from '../../girder/api/admin-client.js';

/**
 * Finds the Girder job that was created for a task before a crash or a lost answer. The token of a message can create jobs
 * but not list them, so this requires `girder.apiKey` of an administrator.
 * @returns null if no job is visible: none exists, no key is set, or Girder rejects the key
 * @throws GirderError while Girder is down; the abort reason
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
        'could not find out whether Girder has a job for this task',
      );
      return null;
    }
  };
}
