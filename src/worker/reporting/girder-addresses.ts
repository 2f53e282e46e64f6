import type { Settings } from '../../config/schema.js';
import type { ApiUrlMap } from '../../girder/api/api-url.js';

/**
 * Where the addresses that a message carries are reached from here: `girder.apiUrlMap`, and the worker's own address for
 * Girder wherever the message mentions a published one: for itself, or in front of its job.
 */
export function girderAddresses(
  { apiUrl, apiUrlMap }: Settings['girder'],
  headers: Readonly<Record<string, unknown>>,
): ApiUrlMap {
  if (apiUrl === null) return apiUrlMap;
  const mentioned = [headers['girder_api_url'], headers['apiUrl'], jobFront(headers['jobInfoSpec'])];
  const published = mentioned.filter((each): each is string => typeof each === 'string' && each !== '');
  return { ...apiUrlMap, ...Object.fromEntries(published.map((each) => [each, apiUrl])) };
}

/** The API URL in the address of a Girder job (contract, section b). */
function jobFront(spec: unknown): string | null {
  const url = typeof spec === 'object' && spec !== null && 'url' in spec ? spec.url : null;
  return typeof url === 'string' ? (/^(https?:\/\/.+)\/job\/[^/]+$/.exec(url)?.[1] ?? null) : null;
}
