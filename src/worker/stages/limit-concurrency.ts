import type PQueue from 'p-queue';

import type { KeyedLimiter } from '../../base/keyed-limiter.js';
import { mapApiUrl, type ApiUrlMap } from '../../girder/api/api-url.js';

/**
 * Works in a lane that takes so many runs at one time. An abort ends the waiting for a place; work that has begun ends by
 * itself, so that nothing of it goes on behind the back of whoever clears up afterwards.
 * @throws the reason of `signal` if it aborts before the work begins; whatever the work throws
 */
export async function withQueueSlot<T>(
  lane: PQueue,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
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

/** Gives a place back for the time of a wait, and then waits for one again. */
export type Outside = (wait: () => Promise<void>) => Promise<void>;

/**
 * Works in one of the places of `key`.
 * @throws the reason of `signal` if it aborts while this waits for a place; whatever the work throws
 */
export async function withKeyedSlot<T>(
  places: KeyedLimiter,
  key: string,
  signal: AbortSignal,
  work: (outside: Outside) => Promise<T>,
): Promise<T> {
  let leave = await places.acquire(key, signal);
  try {
    return await work(async (wait) => {
      leave();
      await wait();
      leave = await places.acquire(key, signal);
    });
  } finally {
    leave();
  }
}

/**
 * Which Girders are asked for these parts of a task, as a key: transfers with one that is slow keep nobody else
 * waiting. All that are named count, because a task may name a healthy one and a slow one.
 */
export function girderKey(parts: readonly object[], apiUrlMap: ApiUrlMap): string {
  const origins = parts.flatMap(apiUrlsIn).map((url) => URL.parse(mapApiUrl(url, apiUrlMap))?.origin ?? '');
  return [...new Set(origins)].toSorted().join(' ');
}

/** Wherever they stand in the plain data of an argument or an output. */
function apiUrlsIn(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  if ('apiUrl' in part && typeof part.apiUrl === 'string') return [part.apiUrl];
  return Object.values(part).flatMap(apiUrlsIn);
}
