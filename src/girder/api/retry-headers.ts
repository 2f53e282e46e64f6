import { encodeHooks } from '../canvas/follow-up.js';
import type { CreatedGirderJob } from '../jobs/create-job.js';
import { decodeMessage, type TaskMessage } from '../protocol/read-message.js';

/**
 * The headers of a task that is run again as another one: they name the new task and its new Girder job, also where
 * something is to be put with the Girder job itself (job artifacts).
 * @param job null for a task that reports to no Girder job
 */
export function retryHeaders(
  message: TaskMessage,
  id: string,
  job: CreatedGirderJob | null,
): Record<string, unknown> {
  const hooks = job === null ? null : hooksFor(message, job.id);
  return {
    ...message.headers,
    id,
    ...(job === null ? {} : { jobInfoSpec: job.jobInfoSpec }),
    ...(hooks === null ? {} : { girder_result_hooks: hooks }),
  };
}

/** Null: they stay as they are. What cannot be written again is at worst put with the Girder job of the first attempt. */
function hooksFor(message: TaskMessage, jobId: string): unknown[] | null {
  try {
    const { hooks } = decodeMessage(message, { exact: true });
    return hooks === null ? null : encodeHooks(hooks, jobId);
  } catch {
    return null;
  }
}
