import type { CommandAnswer, WorkerHandle } from '../views/handle.js';

/**
 * Wraps a handle so that all actions are rejected. The wrapped handle cannot be reached through it.
 * @param message why they are rejected
 */
export function readOnlyHandle(
  handle: WorkerHandle,
  message = 'This is read-only: nothing was done.',
): WorkerHandle {
  const refuse = async (): Promise<CommandAnswer> => ({ ok: false, message });
  return {
    snapshot: () => handle.snapshot(),
    subscribe: (listener) => handle.subscribe(listener),
    watch: (what, listener) => handle.watch(what, listener),
    followLog: (runId, listener) => handle.followLog(runId, listener),
    runDetail: async (runId) => handle.runDetail(runId),
    jobDetail: async (jobId) => handle.jobDetail(jobId),
    jobScript: async (jobId) => handle.jobScript(jobId),
    imageDetail: async (file) => handle.imageDetail(file),
    act: refuse,
    changeNodes: refuse,
    pause: refuse,
    resume: refuse,
    drain: refuse,
  };
}
