import type { CommandAnswer, WorkerHandle } from '../views/handle.js';

/**
 * Wraps a handle so that all actions are rejected. The wrapped handle cannot be reached through it.
 */
export function readOnlyHandle(handle: WorkerHandle): WorkerHandle {
  return {
    snapshot: () => handle.snapshot(),
    subscribe: (listener) => handle.subscribe(listener),
    watch: (what, listener) => handle.watch(what, listener),
    followLog: (runId, listener) => handle.followLog(runId, listener),
    runDetail: async (runId) => handle.runDetail(runId),
    jobDetail: async (jobId) => handle.jobDetail(jobId),
    imageDetail: async (file) => handle.imageDetail(file),
    act: refuse,
    pause: refuse,
    resume: refuse,
    drain: refuse,
  };
}

async function refuse(): Promise<CommandAnswer> {
  return { ok: false, said: 'This is read-only: nothing was done.' };
}
