import type { WorkerHandle } from '../views/handle.js';

/** A handle whose worker can be replaced. Its subscriptions move to the new worker. */
export interface SwitchableHandle {
  handle: Omit<WorkerHandle, 'pace'>;
  switchTo(next: WorkerHandle): void;
}

export function createSwitchableHandle(first: WorkerHandle): SwitchableHandle {
  let current = first;
  /** Each moves one subscription to the current worker. */
  const moves = new Set<() => void>();

  const follow = (listen: (handle: WorkerHandle) => () => void): (() => void) => {
    let stop = listen(current);
    const move = (): void => {
      stop();
      stop = listen(current);
    };
    moves.add(move);
    return () => {
      moves.delete(move);
      stop();
    };
  };

  return {
    handle: {
      snapshot: () => current.snapshot(),
      subscribe: (listener) =>
        follow((handle) => {
          if (handle !== first) listener();
          return handle.subscribe(listener);
        }),
      watch: (what, listener) => follow((handle) => handle.watch(what, listener)),
      followLog: (of, listener) => follow((handle) => handle.followLog(of, listener)),
      runDetail: async (runId) => current.runDetail(runId),
      jobDetail: async (jobId) => current.jobDetail(jobId),
      jobScript: async (jobId) => current.jobScript(jobId),
      imageDetail: async (file) => current.imageDetail(file),
      act: async (action) => current.act(action),
      changeNodes: async (change, nodes) => current.changeNodes(change, nodes),
      pause: async () => current.pause(),
      resume: async () => current.resume(),
      drain: async () => current.drain(),
    },
    switchTo(next) {
      current = next;
      for (const move of moves) move();
    },
  };
}
