import type { WorkerHandle } from '../views/handle.js';

/** A handle whose worker can be replaced by another one. Whoever holds it goes on listening, to the new one. */
export interface SwitchableHandle {
  handle: Omit<WorkerHandle, 'pace'>;
  become(next: WorkerHandle): void;
}

export function createSwitchableHandle(first: WorkerHandle): SwitchableHandle {
  let present = first;
  /** Each takes what somebody follows from the worker before to the present one. */
  const moves = new Set<() => void>();

  const follow = (listen: (handle: WorkerHandle) => () => void): (() => void) => {
    let stop = listen(present);
    const move = (): void => {
      stop();
      stop = listen(present);
    };
    moves.add(move);
    return () => {
      moves.delete(move);
      stop();
    };
  };

  return {
    handle: {
      snapshot: () => present.snapshot(),
      subscribe: (listener) =>
        follow((handle) => {
          if (handle !== first) listener();
          return handle.subscribe(listener);
        }),
      watch: (what, listener) => follow((handle) => handle.watch(what, listener)),
      followLog: (of, listener) => follow((handle) => handle.followLog(of, listener)),
      runDetail: async (runId) => present.runDetail(runId),
      jobDetail: async (jobId) => present.jobDetail(jobId),
      imageDetail: async (file) => present.imageDetail(file),
      act: async (action) => present.act(action),
      pause: async () => present.pause(),
      resume: async () => present.resume(),
      drain: async () => present.drain(),
    },
    become(next) {
      present = next;
      for (const move of moves) move();
    },
  };
}
