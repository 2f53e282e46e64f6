import type PQueue from 'p-queue';

import type { KeyedLimiter } from '../../base/keyed-limiter.js';
import { mapApiUrl, type ApiUrlMap } from '../../girder/api/api-url.js';

/**
 * Runs `work` in the queue. Aborting cancels the wait for a slot; work that has started always completes, so cleanup
 * never races it.
 * @throws the reason of `signal` if it aborts before `work` starts; errors of `work`
 */
export async function withQueueSlot<T>(
  queue: PQueue,
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
    return await queue.add(begin, { signal: waiting.signal });
  } finally {
    signal.removeEventListener('abort', stopWaiting);
  }
}

/** Releases the slot during `wait`, then acquires one again. */
export type ReleaseWhile = (wait: () => Promise<void>) => Promise<void>;

/**
 * Runs `work` in one of the slots of `key`.
 * @throws the reason of `signal` if it aborts while this waits for a slot; errors of `work`
 */
export async function withKeyedSlot<T>(
  limiter: KeyedLimiter,
  key: string,
  signal: AbortSignal,
  work: (releaseWhile: ReleaseWhile) => Promise<T>,
): Promise<T> {
  let release = await limiter.acquire(key, signal);
  try {
    return await work(async (wait) => {
      release();
      await wait();
      release = await limiter.acquire(key, signal);
    });
  } finally {
    release();
  }
}

/**
 * Key of the Girder servers that these parts of a task name, so that a slow server delays only its own transfers. All
 * of them count, because a task may name a healthy and a slow one.
 */
export function girderKey(parts: readonly object[], apiUrlMap: ApiUrlMap): string {
  const origins = parts.flatMap(apiUrlsIn).map((url) => URL.parse(mapApiUrl(url, apiUrlMap))?.origin ?? '');
  return [...new Set(origins)].toSorted().join(' ');
}

/** At any depth of an argument or an output. */
function apiUrlsIn(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  if ('apiUrl' in part && typeof part.apiUrl === 'string') return [part.apiUrl];
  return Object.values(part).flatMap(apiUrlsIn);
}
