import type PQueue from 'p-queue';

/**
 * Works in a lane that takes so many runs at one time. An abort ends the waiting for a place; work that has begun ends by
 * itself, so that nothing of it goes on behind the back of whoever clears up afterwards.
 * @throws the reason of `signal` if it aborts before the work begins; whatever the work throws
 */
export async function inLane<T>(lane: PQueue, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const waiting = new AbortController();
  const stopWaiting = (): void => waiting.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', stopWaiting, { once: true });
  const begin = async (): Promise<T> => {
    signal.removeEventListener('abort', stopWaiting);
    signal.throwIfAborted();
    return work();
  };
  try {
    return await lane.add(begin, { signal: waiting.signal });
  } finally {
    signal.removeEventListener('abort', stopWaiting);
  }
}
