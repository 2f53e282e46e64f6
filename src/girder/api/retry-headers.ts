import { encodeHooks } from '../canvas/follow-up.js';
import type { CreatedGirderJob } from '../jobs/create-job.js';
import { decodeMessage, type TaskMessage } from '../protocol/read-message.js';

/**
 * Headers for a task that is run again under a new id: they name the new task and its new Girder job, which also receives
 * the job artifacts.
 * @param job null for a task without a Girder job
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

/** Null if the hooks stay as they are. If they cannot be encoded, artifacts go to the Girder job of the first attempt. */
function hooksFor(message: TaskMessage, jobId: string): unknown[] | null {
  try {
    const { hooks } = decodeMessage(message, { exact: true });
    return hooks === null ? null : encodeHooks(hooks, jobId);
  } catch {
    return null;
  }
}
